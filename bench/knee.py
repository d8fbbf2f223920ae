"""Why the default quality and effort of each format are what they are. measure.py calls this.

Effort: for each, the quality is sought that looks as good as the default does, and what it costs in bytes and in CPU is
compared. Quality: bytes and likeness of each step.
"""

import statistics

import charts
import harness
import pictures
from harness import EFFORT, QUALITY, fetch, say

WIDTH = 800
EFFORTS = {"webp": range(0, 7), "avif": range(0, 5)}
STEPS = (40, 50, 60, 65, 70, 75, 80, 85, 90, 95)


def knee(bench):
    if not bench.module:
        return
    files = bench.originals[6][:2 if bench.quick else 3]
    efforts = {form: (list(steps)[::3] if bench.quick else list(steps)) for form, steps in EFFORTS.items()}
    for form, steps in efforts.items():
        efforts[form] = sorted({*steps, EFFORT[form]})
    locations = f"location /jpeg/ {{ media_root {bench.scratch}/originals/; }}\n"
    locations += "".join(f"location /{form}{effort}/ {{ media_root {bench.scratch}/originals/; media_effort {form}={effort}; }}\n"
                        for form, steps in efforts.items() for effort in steps)
    with harness.media_nginx(bench.scratch, bench.module, locations, "media_timeout 60s;") as server:
        at_effort = {form: [cost(bench, server, files, form, effort) for effort in steps]
                     for form, steps in efforts.items()}
        at_quality = {form: [step(bench, server, files, form, q) for q in STEPS[::3 if bench.quick else 1]]
                      for form in QUALITY}
    print(f"### Knees: photographs of 6 MP → {WIDTH} px\n")
    print("Each effort at the quality that is as like the original (SSIM, mean of all) as the default is.\n")
    print("| format | effort | quality | bytes | CPU ms | SSIM | |")
    print("|---|---|---|---|---|---|---|")
    for form, rows in at_effort.items():
        for row in rows:
            note = "default" if row["effort"] == EFFORT[form] else ""
            print(f"| {form} | {row['effort']} | {row['quality']} | {row['bytes']:,.0f} | {row['cpu']:.1f} | "
                  f"{row['ssim']:.4f} | {note} |")
    print("\n| quality | " + " | ".join(f"{form}: bytes, SSIM" for form in at_quality) + " |")
    print("|---|" + "---|" * len(at_quality))
    for rows in zip(*at_quality.values()):
        cells = [f"{row['bytes']:,.0f}, {row['ssim']:.4f}"
                 + (" (default)" if row["quality"] == QUALITY[form] else "") for form, row in zip(at_quality, rows)]
        print(f"| {rows[0]['quality']} | " + " | ".join(cells) + " |")
    print(flush=True)
    charts.curves(bench.charts / "knee-effort.svg", [
        {"title": f"{form}: efforts, equal SSIM", "x": "CPU ms", "y": "KB", "low": {"x": 0},
         "series": {"": [(row["cpu"], row["bytes"] / 1000, name(row["effort"], EFFORT[form])) for row in rows]}}
        for form, rows in at_effort.items()])
    charts.curves(bench.charts / "knee-quality.svg", [
        {"title": f"{form}: qualities", "x": "KB", "y": "SSIM",
         "series": {"": [(row["bytes"] / 1000, row["ssim"], name(row["quality"], QUALITY[form])) for row in rows]}}
        for form, rows in at_quality.items()])


def name(step, default):
    return f"{step}, default" if step == default else str(step)


def ask(bench, server, files, form, effort, quality):
    """Means of bytes and SSIM."""
    bodies = [fetch(server.port, path) for path in paths(files, form, effort, quality)]
    likeness = [pictures.compare(pictures.decode(body, form), bench.reference(file, WIDTH))[0]
                for file, body in zip(files, bodies)]
    return {"effort": effort, "quality": quality, "bytes": statistics.mean(len(body) for body in bodies),
            "ssim": statistics.mean(likeness)}


def paths(files, form, effort, quality):
    return [f"/{form}{effort}/{file.name}?w={WIDTH}&fm={form}" + f"&q={quality}" for file in files]


def cost(bench, server, files, form, effort):
    """An effort at the quality that looks like the default."""
    say(f"knee, {form} effort {effort}")
    wanted = ask(bench, server, files, form, EFFORT[form], QUALITY[form])["ssim"]
    low, high = 20, 99
    while low < high:
        middle = (low + high) // 2
        if ask(bench, server, files, form, effort, middle)["ssim"] < wanted:
            low = middle + 1
        else:
            high = middle
    found = min((ask(bench, server, files, form, effort, quality) for quality in (low - 1, low)),
                key=lambda one: abs(one["ssim"] - wanted))
    before = server.cpu()
    report = bench.load(server, paths(files, form, effort, found["quality"]), connections=2,
                        duration=0.5 if bench.quick else 1, grace=60).result()
    bench.check(report, f"{form} of effort {effort}")
    return {**found, "cpu": (server.cpu() - before) / report["good"] * 1000}


def step(bench, server, files, form, quality):
    return ask(bench, server, files, form, EFFORT.get(form, ""), quality)
