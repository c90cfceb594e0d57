"""How good is a model at predicting the future, beside baselines, with intervals?"""

import likewise as lw

ratings = lw.load_movielens()
train, test = lw.split(ratings, by="time")  # the latest tenth; a random split would predict the past from the future
found = lw.fit(train, "dot").evaluate(test, lists=False)

print(found)  # what to read first are the verdicts and the notes
print(f"\nRMSE {found['rmse']:.3f}; against plain biases:")
print(found.to("bias").differences["dot"]["rmse"])
print(found.evaluations["dot"].segments)  # where it is good and where not
