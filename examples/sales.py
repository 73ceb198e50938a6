"""Read a CSV with pandas, print a summary, leave a chart: holdfast run examples/sales.py --file examples/sales.csv

Without the file it takes a few rows of its own, so that the script also runs alone.
"""

import io
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SAMPLE = io.StringIO("month,region,units,price\n2025-01,north,120,9.5\n2025-01,south,80,9.5\n2025-02,north,150,9.9\n")

source = Path("sales.csv")
sales = pd.read_csv(source if source.exists() else SAMPLE)
sales["revenue"] = sales["units"] * sales["price"]
by_month = sales.pivot_table(index="month", columns="region", values="revenue", aggfunc="sum", fill_value=0)

print(by_month.round(2).to_string())
print(f"\nTotal revenue: {sales['revenue'].sum():,.2f} from {len(sales)} rows")

axes = by_month.plot.bar(stacked=True, figsize=(8, 4), title="Revenue by month")
axes.set_xlabel("")
plt.tight_layout()
plt.savefig("chart.png", dpi=100)
print(f"chart.png: {Path('chart.png').stat().st_size} bytes")
