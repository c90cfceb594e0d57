"""Somebody new: what to ask them, what to recommend, and why. The model is never retrained."""

import likewise as lw

rec = lw.fit(lw.load_movielens(), "dot")

me = rec.visitor()
answers = {"Toy Story (1995)": 5, "Finding Nemo (2003)": 5, "Heat (1995)": 2, "Casino (1995)": 1.5}
print("A good first question:", me.next_question())
for title, stars in answers.items():
    me = me.rate(title, stars)  # each step is a new visitor; nothing is kept

print(me.recommend(5, explain=True))
print(me.explain("Monsters, Inc. (2001)"))
print(me.recommend(5, where="genres has 'Comedy' and year >= 2000"))
