"""A CSV of one's own: read it, fit a model, recommend, save."""

from pathlib import Path
from tempfile import TemporaryDirectory

import likewise as lw

CSV = """customer,sku,stars,when
ada,tea,5,2024-05-01
ada,mug,4,2024-05-02
ada,pot,4,2024-06-11
ben,tea,1,2024-05-03
ben,jam,5,2024-05-09
cy,mug,5,2024-07-20
cy,tea,4,2024-07-21
"""

with TemporaryDirectory() as folder:
    path = Path(folder) / "orders.csv"
    path.write_text(CSV)

    orders = lw.read(path, user="customer", item="sku")  # rating and time are recognised by their names
    print(orders.report)

    rec = lw.fit(orders, "knn")
    print(rec.recommend("cy", k=2))
    print(f"ben and the pot: {rec.predict('ben', 'pot'):.1f} stars")
    print(rec.recommend("a stranger", k=2))  # the source column says "cold"

    rec.save(Path(folder) / "model")
    again = lw.load(Path(folder) / "model")
    print("the saved model agrees:", again.predict("ben", "pot") == rec.predict("ben", "pot"))
