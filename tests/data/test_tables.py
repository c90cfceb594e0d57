import polars as pl
from hypothesis import given, strategies as st

from likewise.data.tables import write_table


@given(
    text=st.lists(st.sampled_from("=+-@\t1a' \"<") | st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=6).map(
        "".join
    )
)
def test_no_text_in_csv_is_a_formula(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    write_table(pl.DataFrame({"item_id": [text], "score": [1.5]}), path)
    (found,) = pl.read_csv(path, schema_overrides={"item_id": pl.String})["item_id"]
    assert found in (text, "'" + text)
    if found[0] in "=+-@\t\r":
        float(found)  # a number, which a spreadsheet shows and does not run


def test_parquet_keeps_every_text(tmp_path):
    frame = pl.DataFrame({"item_id": ["=HYPERLINK(1)", "-3", None], "score": [1, 2, 3]})
    write_table(frame, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(frame)
    write_table(frame, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1:] == ["'=HYPERLINK(1),1", "-3,2", ",3"]
