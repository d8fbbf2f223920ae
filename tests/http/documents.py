"""SVG and PDF to test with: harmless ones, ones that reach for files and hosts, ones that ask for too much."""

import io
import zlib

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '


def svg(body, width=100, height=100, before="", more=""):
    """An SVG with `body` in it; `before` stands ahead of the root element."""
    return f'<?xml version="1.0"?>{before}{HEAD}width="{width}" height="{height}" {more}>{body}</svg>'.encode()


GROUND = '<rect width="100%" height="100%" fill="#fff"/>'


def reaching(port):
    """SVGs that ask for something outside themselves: what they name is red, or answers on `port` of this machine.
    All of them are white beside."""
    url = f"http://127.0.0.1:{port}/red.png"
    places = {"http": url, "file": "file:///etc/passwd", "absolute": "/etc/passwd", "beside": "red.png", "dot": "./red.png",
              "host": f"//127.0.0.1:{port}/red.png", "file host": "file://127.0.0.1/etc/passwd"}
    found = {}
    for name, place in places.items():
        found[f"image href, {name}"] = svg(f'{GROUND}<image href="{place}" width="100" height="100"/>')
        found[f"image xlink:href, {name}"] = svg(f'{GROUND}<image xlink:href="{place}" width="100" height="100"/>')
        found[f"use, {name}"] = svg(f'{GROUND}<use href="{place}#x" width="100" height="100"/>')
        found[f"feImage, {name}"] = svg(f'{GROUND}<filter id="f"><feImage href="{place}"/></filter>'
                                        '<rect width="100" height="100" filter="url(#f)" fill="white"/>')
        found[f"paint server, {name}"] = svg(f'{GROUND}<rect width="100" height="100" fill="url({place}#p) white"/>')
        found[f"CSS import, {name}"] = svg(f'<style>@import url("{place}");</style>{GROUND}')
        found[f"CSS url, {name}"] = svg(f'<style>rect {{ filter: url("{place}#f"); mask: url("{place}#m") }}</style>{GROUND}')
        found[f"stylesheet, {name}"] = svg(GROUND, before=f'<?xml-stylesheet type="text/css" href="{place}"?>')
        found[f"XInclude, {name}"] = svg(f'{GROUND}<text y="50" fill="red" font-size="40"><xi:include parse="text" '
                                         f'xmlns:xi="http://www.w3.org/2001/XInclude" href="{place}"/></text>')
        found[f"external DTD, {name}"] = svg(GROUND, before=f'<!DOCTYPE svg SYSTEM "{place}">')
        found[f"external entity, {name}"] = svg(f'{GROUND}<text y="50" fill="red" font-size="40">&x;</text>',
                                                before=f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{place}">]>')
        found[f"parameter entity, {name}"] = svg(GROUND, before=f'<!DOCTYPE svg [<!ENTITY % x SYSTEM "{place}"> %x;]>')
        found[f"nested SVG, {name}"] = svg(f'{GROUND}<image width="100" height="100" href="data:image/svg+xml;utf8,'
                                           f"&lt;svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>&lt;image "
                                           f"href='{place}' width='9' height='9'/>&lt;/svg>\"/>")
    found["script"] = svg(f'{GROUND}<script>document.documentElement.innerHTML = "";</script>')
    found["foreignObject"] = svg(f'{GROUND}<foreignObject width="100" height="100"><body xmlns="http://www.w3.org/1999/xhtml" '
                                 f'style="background:red"><img src="{url}"/></body></foreignObject>')
    found["font"] = svg(f'<style>@font-face {{ font-family: x; src: url("{url}"); }}</style>{GROUND}'
                        '<text font-family="x" fill="white">x</text>')
    found["cursor and link"] = svg(f'<a href="{url}">{GROUND}</a><style>rect {{ cursor: url("{url}") }}</style>')
    return found


def costly():
    """SVGs that ask for very much. Each is small."""
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    doubles = "".join(f'<g id="d{i}"><use href="#d{i - 1}"/><use href="#d{i - 1}" x="1"/></g>' for i in range(1, 40))
    patterns = "".join(f'<pattern id="p{i}" width="{1 / 64}" height="{1 / 64}"><rect width="1" height="1" '
                       f'fill="url(#p{i - 1})"/></pattern>' for i in range(1, 12))
    blurs = "".join(f'<feGaussianBlur stdDeviation="{radius}"/>' for radius in (1e9, 1e5, 1000, 500) * 8)
    rect = '<rect width="100" height="100" fill="red" '
    big = '<rect width="4000" height="4000" fill="red" '
    return {
        "billion laughs": svg("<text>&l11;</text>", before=f'<!DOCTYPE svg [<!ENTITY l0 "ha">{laughs}]>'),
        "quadratic entities": svg(f"<text>{'&x;' * 30000}</text>", before=f'<!DOCTYPE svg [<!ENTITY x "{"x" * 30000}">]>'),
        "entities that name themselves": svg("<text>&a;</text>", before='<!DOCTYPE svg [<!ENTITY a "&b;"><!ENTITY b "&a;">]>'),
        "a width of 1e9": svg(GROUND, 1000000000, 1000000000),
        "a width of 1e300": svg(GROUND, "1e300", "1e300"),
        "a width of 1e9 and height of 1": svg(GROUND, 1000000000, 1),
        "negative sides": svg(GROUND, -5, -5),
        "no sides": svg(GROUND, 0, 0),
        "sides that are no numbers": svg(GROUND, "nan", "inf"),
        "a viewBox of 1e-300": svg(GROUND, more='viewBox="0 0 1e-300 1e-300"'),
        "100000 groups in one another": svg("<g>" * 100000 + "</g>" * 100000),
        "240 groups with filters in one another": svg('<filter id="f"><feGaussianBlur stdDeviation="9"/></filter>'
                                                      + '<g filter="url(#f)">' * 240 + rect + "/>" + "</g>" * 240),
        "doubling uses": svg(f'<defs><rect id="d0" width="1" height="1"/>{doubles}</defs><use href="#d39"/>'),
        "a use of itself": svg('<g id="a"><use href="#a"/></g><use href="#a"/>'),
        "patterns of patterns": svg(f'<defs><pattern id="p0" width="0.1" height="0.1"><circle r="1"/></pattern>{patterns}</defs>'
                                    f'{rect} style="fill:url(#p11)"/>'),
        "a pattern of itself": svg(f'<pattern id="p" width="9" height="9">{rect} style="fill:url(#p)"/></pattern>'
                                   f'{rect} style="fill:url(#p)"/>'),
        "a mask of itself": svg(f'<mask id="m">{rect} mask="url(#m)"/></mask>{rect} mask="url(#m)"/>'),
        "a clip of itself": svg(f'<clipPath id="c" clip-path="url(#c)">{rect}/></clipPath>{rect} clip-path="url(#c)"/>'),
        "a filter of itself": svg(f'<filter id="f"><feImage href="#a"/></filter>{rect} id="a" filter="url(#f)"/>'),
        "giant blurs": svg(f'<filter id="f" width="1000" height="1000">{blurs}</filter>{rect} filter="url(#f)"/>'),
        "a giant morphology": svg('<filter id="f"><feMorphology operator="dilate" radius="100000"/></filter>'
                                  f'{big} filter="url(#f)"/>', 4000, 4000),
        "a giant convolution": svg('<filter id="f"><feConvolveMatrix order="99" kernelMatrix="' + "1 " * 9801
                                   + f'"/></filter>{big} filter="url(#f)"/>', 4000, 4000),
        "turbulence": svg('<filter id="f"><feTurbulence numOctaves="100000" baseFrequency="0.1"/></filter>'
                          f'{big} filter="url(#f)"/>', 4000, 4000),
        "a chain of lights": svg('<filter id="f">' + '<feDiffuseLighting><fePointLight x="1" y="1" z="1"/></feDiffuseLighting>' * 200
                                 + f'</filter>{big} filter="url(#f)"/>', 4000, 4000),
        "a dash of 1e-9": svg('<path d="M0 0 L1e6 1e6" stroke="red" stroke-width="1" stroke-dasharray="1e-5"/>'),
        "a path of a million steps": svg('<path fill="red" d="M0 0' + "h1v1" * 250000 + '"/>'),
        "200000 shapes": svg('<path d="M0 0h9v9z"/>' * 200000),
        "nested SVG images": svg('<image width="100" height="100" href="data:image/svg+xml;base64,AAAA"/>' * 1000),
        "an image of 30000x30000": svg('<image width="100" height="100" href="data:image/png;base64,' + _huge_png() + '"/>'),
    }


def _huge_png():
    import base64

    import pictures
    return base64.b64encode(pictures.huge_png(30000, 30000, whole=True)).decode()


def thin_lines(step=40, size=400):
    """Black lines one unit wide on white."""
    lines = "".join(f'<rect x="{i}" width="1" height="{size}"/><rect y="{i}" width="{size}" height="1"/>'
                    for i in range(step // 2, size, step))
    return svg(GROUND + lines, size, size)


def pdf(content=b"1 0 0 rg 0 0 100 100 re f", box="0 0 200 200", pages=1, catalog="", page="", objects=(), trailer=""):
    """A PDF of pages with one content stream; `objects` are numbered from 5 on."""
    stream = zlib.compress(content)
    kids = " ".join(f"{5 + len(objects) + i} 0 R" for i in range(pages))
    bodies = [f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(),
              f"<</Type/Pages/Kids[{kids}]/Count {pages}>>".encode(),
              f"<</Length {len(stream)}/Filter/FlateDecode>>stream\n".encode() + stream + b"\nendstream",
              b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    bodies += [o if isinstance(o, bytes) else o.encode() for o in objects]
    bodies += [f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 3 0 R/Resources<</Font<</F 4 0 R>>"
               f"{'' if 'XObject' not in page else page}>>{page if 'XObject' not in page else ''}>>".encode()] * pages
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(bodies, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(f"trailer<</Size {len(bodies) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def reaching_pdfs(port):
    """PDFs that ask for something outside themselves. All of them have a blank page beside."""
    url = f"http://127.0.0.1:{port}/red"
    external = "<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Ref<</F<</FS/{}/F({})>>/Page 0>>/Length 0>>stream\n\nendstream"
    stream = "<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceRGB/Length 0/F<</FS/{}/F({})>>" \
             ">>stream\n\nendstream"
    found = {}
    for name, (system, place) in {"http": ("URL", url), "file": ("", "/etc/passwd"), "beside": ("", "red.png")}.items():
        for kind, text in (("external form", external), ("external stream", stream)):
            text = text.format(system, place).replace("/FS//F", "/F")
            found[f"{kind}, {name}"] = pdf(b"q 200 0 0 200 0 0 cm /X Do Q", page="/XObject<</X 5 0 R>>", objects=[text])
    for name, action in {
            "JavaScript": f"<</S/JavaScript/JS(this.submitForm('{url}'); app.launchURL('{url}');)>>",
            "launch": "<</S/Launch/F(/bin/touch)/Unix<</F(/bin/touch)/P(/tmp/touched)>>>>",
            "URI": f"<</S/URI/URI({url})>>", "submit": f"<</S/SubmitForm/F({url})>>",
            "another file": f"<</S/GoToR/F<</FS/URL/F({url})>>/D[0/Fit]>>"}.items():
        found[name] = pdf(b"", catalog=f"/OpenAction {action}", page=f"/AA<</O {action}>>")
    return found


def costly_pdfs():
    forms = [f"<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</X {5 + i + 1} 0 R>>>>/Length 60>>stream\n"
             f"{'/X Do ' * 10}\nendstream" for i in range(12)]
    forms.append("<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Length 20>>stream\n0 0 1 1 re f        \nendstream")
    own = "<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject<</X 5 0 R>>>>/Length 6>>stream\n/X Do \nendstream"
    return {
        "a box of 1e9": pdf(box="0 0 1000000000 1000000000"),
        "a box of 1e9 by 1": pdf(box="0 0 1000000000 1"),
        "an empty box": pdf(box="0 0 0 0"),
        "a box turned inside out": pdf(box="200 200 0 0"),
        "a box of no numbers": pdf(box="/a /b /c /d"),
        "1000 pages": pdf(pages=1000),
        "forms in forms": pdf(b"/X Do", page="/XObject<</X 5 0 R>>", objects=forms),
        "a form of itself": pdf(b"/X Do", page="/XObject<</X 5 0 R>>", objects=[own]),
        "encrypted": pdf(trailer="/ID[<00><00>]/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<" + "11" * 32 + ">/U<" + "22" * 32
                         + ">>>"),
        "a catalogue of itself": pdf().replace(b"/Pages 2 0 R", b"/Pages 1 0 R"),
        "pages of themselves": pdf().replace(b"/Kids[5 0 R]", b"/Kids[2 0 R]"),
        "no page": pdf(pages=0),
        "half of it": pdf()[:400],
        "a content that unpacks to 300 MB": pdf(b"0 0 1 1 re f " * 23_000_000),
    }
