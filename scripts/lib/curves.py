"""Curves on logarithmic axes, as SVG: write(path, panels, x_name, y_name, caption).

A panel is (title, [(series name, [(x, y), ...]), ...]); two panels stand side by side.
"""
import html
import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, ACROSS = 420, 260, 58, 30, 12, 44, 2
COLOURS = ["#1b6ca8", "#d1495b", "#66a182", "#edae49", "#6a4c93", "#444444"]


def short(x):
    for unit, one in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if x >= one:
            return "%g%s" % (x / one, unit)
    return "%g" % x


def axis(values):
    """Whole powers of ten around the values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, high if high > low else low + 1


def line(x1, y1, x2, y2, colour):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (x1, y1, x2, y2, colour)


def text(x, y, words, anchor="middle", colour="#222"):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>' % (x, y, anchor, colour,
                                                                         html.escape(words))


def draw(panel, x_name, y_name):
    title, series = panel
    points = [(x, y) for _, curve in series for x, y in curve if x > 0 and y > 0]
    if not points:
        return []
    low, high = axis([y for _, y in points])
    first, last = math.log2(min(x for x, _ in points)), math.log2(max(x for x, _ in points))
    last = last if last > first else first + 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x, y):
        return (LEFT + (math.log2(x) - first) / (last - first) * width,
                TOP + (high - math.log10(y)) / (high - low) * height)

    out = [text(LEFT + width / 2, 18, title)]
    for power in range(low, high + 1):
        y = at(2 ** first, 10.0 ** power)[1]
        out += [line(LEFT, y, LEFT + width, y, "#ddd"), text(LEFT - 5, y + 4, "%g" % 10.0 ** power, "end")]
    for power in range(math.ceil(first), math.floor(last) + 1, max(1, round((last - first) / 6))):
        x = at(2.0 ** power, 10.0 ** low)[0]
        out += [line(x, TOP, x, TOP + height, "#eee"), text(x, TOP + height + 15, short(2.0 ** power))]
    out += [text(LEFT + width / 2, TOP + height + 32, x_name), text(8, TOP - 8, y_name, "start")]
    for i, (name, curve) in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        places = " ".join("%.1f,%.1f" % at(x, y) for x, y in curve if x > 0 and y > 0)
        out += ['<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>' % (places, colour),
                text(LEFT + 8, TOP + 14 + 14 * i, name, "start", colour)]
    return out


def write(path, panels, x_name, y_name, caption):
    rows = (len(panels) + ACROSS - 1) // ACROSS
    with open(path, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
                   'font-size="11">\n<rect width="100%%" height="100%%" fill="white"/>\n%s\n' %
                   (WIDTH * ACROSS, HEIGHT * rows + 20, text(6, 14, caption, "start")))
        for i, panel in enumerate(panels):
            file.write('<g transform="translate(%d,%d)">\n%s\n</g>\n' %
                       (i % ACROSS * WIDTH, 20 + i // ACROSS * HEIGHT, "\n".join(draw(panel, x_name, y_name))))
        file.write("</svg>\n")
