"""Opens the Parquet and CSV tables with pandas, polars and DuckDB, and compares what they read."""

import sys
from pathlib import Path

import duckdb
import pandas
import polars

folder = Path(sys.argv[1])
for name in ["trials", "cells", "epochs", "histograms"]:
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    one = pandas.read_parquet(parquet)
    two = polars.read_parquet(parquet)
    three = duckdb.sql(f"SELECT * FROM '{parquet}'").fetchall()
    four = pandas.read_csv(csv)
    shapes = {one.shape, two.shape, (len(three), len(three[0])), four.shape}
    assert len(shapes) == 1, (name, shapes)
    assert list(one.columns) == two.columns == list(four.columns), name
    for column in one.columns:
        if one[column].dtype == "float64" and four[column].dtype == "float64":
            pandas.testing.assert_series_equal(one[column], four[column], rtol=0, atol=0)
    assert two.rows() == three, name

cells = pandas.read_parquet(folder / "cells.parquet")
trials = pandas.read_parquet(folder / "trials.parquet")
means = trials[trials.outcome == "completed"].groupby("cell").test_accuracy.agg(["mean", "std"])
own = cells.set_index("cell")
pandas.testing.assert_series_equal(
    means["mean"].sort_index(), own.test_accuracy_mean.sort_index(), check_names=False, rtol=1e-12)
pandas.testing.assert_series_equal(
    means["std"].sort_index(), own.test_accuracy_std.sort_index(), check_names=False, rtol=1e-9)
print("tables: ok")
