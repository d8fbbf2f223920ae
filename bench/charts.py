"""Draws the charts of bench/README.md, as SVG."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "ngx_media", "font.family": "sans-serif", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.3,
    "legend.frameon": False, "figure.facecolor": "white",
})

from matplotlib import pyplot, ticker  # noqa: E402  the backend is chosen first

OURS = "ngx_media"
COLOURS = {OURS: "#c0392b", "sharp": "#2874a6", "ipx": "#5dade2", "image_filter": "#7f8c8d", "Pillow": "#b7950b",
           "floor": "#bbbbbb", "floor, vector code": "#888888"}


def plain(value, _=None):
    for limit, unit in ((1e6, "M"), (1e3, "K")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def save(figure, file):
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    pyplot.close(figure)


def bars(file, title, unit, groups, values):
    """Groups of bars: `values` is {name: [a value or None for each group]}."""
    figure, axes = pyplot.subplots(figsize=(9, 0.5 + len(groups) * (0.12 + 0.13 * len(values))))
    height = 0.84 / len(values)
    top = max(value for row in values.values() for value in row if value)
    for number, (name, row) in enumerate(values.items()):
        places = [group + number * height for group in range(len(groups))]
        shown = [value or 0 for value in row]
        axes.barh(places, shown, height * 0.9, label=name, color=COLOURS.get(name))
        for place, value in zip(places, row):
            if value:
                axes.text(value + top * 0.005, place, f"{value:.1f}" if value < 100 else f"{value:.0f}", va="center",
                          fontsize=6)
    axes.set_yticks([group + 0.42 - height / 2 for group in range(len(groups))], groups)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(fontsize=8)
    save(figure, file)


def curves(file, panels):
    """Panels side by side: dicts of title, x, y (names of the axes), series {name: [(x, y) or (x, y, text)]}, and
    logarithmic ("x", "y", "xy", "")."""
    figure, all_axes = pyplot.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.2), squeeze=False)
    for axes, panel in zip(all_axes[0], panels):
        for name, points in panel["series"].items():
            line, = axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", markersize=3, label=name,
                              linewidth=1.2)
            for point in points:
                if len(point) > 2:
                    axes.annotate(point[2], point[:2], textcoords="offset points", xytext=(3, 3), fontsize=6,
                                  color=line.get_color())
        for side in panel.get("logarithmic", ""):
            getattr(axes, f"set_{side}scale")("log")
            axis = getattr(axes, f"{side}axis")
            axis.set_major_formatter(ticker.FuncFormatter(plain))
            axis.set_minor_formatter(ticker.NullFormatter())
        for side, low in panel.get("low", {}).items():
            getattr(axes, f"set_{side}lim")(**{"left" if side == "x" else "bottom": low})
        axes.set_title(panel["title"], loc="left", fontsize=9)
        axes.set_xlabel(panel["x"])
        axes.set_ylabel(panel["y"])
        if len(panel["series"]) > 1:
            axes.legend(fontsize=7)
    figure.tight_layout()
    save(figure, file)
