"""Writes small images of every kind, and what they are in grey, as Pillow decodes them.

    python3 -m venv venv && venv/bin/pip install pillow numpy && venv/bin/python make.py

expected.csv holds name, rows, columns, the largest difference allowed, and the pixels; refused.csv
names the files that hold no single image of a kind that is read.
"""

from pathlib import Path

import numpy as np
from PIL import Image, features

HERE = Path(__file__).parent
HEIGHT, WIDTH = 9, 13
y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
RED = (20 * y + 3 * x).clip(0, 255).astype(np.uint8)
GREEN = (255 - 12 * x - 4 * y).clip(0, 255).astype(np.uint8)
BLUE = ((x * y * 7) % 256).astype(np.uint8)
ALPHA = ((x * 37 + y * 11) % 256).astype(np.uint8)

grey = Image.fromarray(RED)
rgb = Image.fromarray(np.dstack([RED, GREEN, BLUE]))
rgba = Image.fromarray(np.dstack([RED, GREEN, BLUE, ALPHA]))
grey_alpha = Image.merge("LA", [grey, Image.fromarray(ALPHA)])
deep = Image.fromarray((RED.astype(np.uint16) * 257 // 2 + 1000).astype(np.uint16))
palette = rgb.quantize(16)
bits = grey.point(lambda value: 255 * (value > 100)).convert("1", dither=Image.Dither.NONE)

expected, refused = [], []


def save(name, image, **options):
    image.save(HERE / name, **options)


def grey_of(image, background=255):
    """Luma by Rec. 709 in whole numbers, laid on the background with one rounding."""
    if image.mode.startswith("I"):
        return (np.asarray(image).astype(np.int64) * 255 * 2 + 65535) // (2 * 65535)
    pixels = np.asarray(image.convert("RGBA")).astype(np.int64)
    luma = (2126 * pixels[..., 0] + 7152 * pixels[..., 1] + 722 * pixels[..., 2] + 5000) // 10000
    alpha = pixels[..., 3]
    return (2 * (luma * alpha + background * (255 - alpha)) + 255) // 510


def read(name, tolerance=0, turned=False):
    from PIL import ImageOps

    image = Image.open(HERE / name)
    image.load()
    if turned:
        image = ImageOps.exif_transpose(image)
    values = grey_of(image)
    row = [name, *values.shape, tolerance, *values.flatten()]
    expected.append(",".join(str(value) for value in row))


for name, image, options in [
    ("grey.png", grey, {}),
    ("grey-bits.png", bits, {}),
    ("grey-16.png", deep, {}),
    ("grey-alpha.png", grey_alpha, {}),
    ("grey-key.png", grey, {"transparency": int(RED[4, 4])}),
    ("rgb.png", rgb, {}),
    ("rgb-key.png", rgb, {"transparency": tuple(int(c[4, 4]) for c in (RED, GREEN, BLUE))}),
    ("rgba.png", rgba, {}),
    ("palette.png", palette, {"bits": 4}),
    ("palette-alpha.png", palette, {"transparency": bytes(range(0, 256, 16))}),
    ("grey.bmp", grey, {}),
    ("rgb.bmp", rgb, {}),
    ("palette.gif", palette, {}),
    ("palette-key.gif", palette, {"transparency": 3}),
    ("grey.tif", grey, {}),
    ("grey-16.tif", deep, {"compression": "tiff_adobe_deflate"}),
    ("grey-bits.tif", bits, {"compression": "group4"}),
    ("rgb.tif", rgb, {"compression": "tiff_lzw"}),
    ("rgba.tif", rgba, {}),
    ("lossless.webp", rgb, {"lossless": True}),
    ("lossless-alpha.webp", rgba, {"lossless": True, "exact": True}),
    ("grey.pgm", grey, {}),
    ("grey-16.pgm", deep, {}),
    ("rgb.ppm", rgb, {}),
    ("bits.pbm", bits, {}),
]:
    save(name, image, **options)
    read(name)

(HERE / "ascii.pgm").write_text(
    f"P2\n# a comment\n{WIDTH} {HEIGHT}\n255\n" + "\n".join(" ".join(map(str, row)) for row in RED) + "\n"
)
read("ascii.pgm")

for name, image, options in [
    ("grey.jpg", grey, {"quality": 90}),
    ("full.jpg", rgb, {"quality": 90, "subsampling": 0}),
    ("half.jpg", rgb, {"quality": 90, "subsampling": 2}),
    ("progressive.jpg", rgb, {"quality": 80, "progressive": True}),
    ("lossy.webp", rgb, {"quality": 90}),
]:
    save(name, image, **options)
    read(name, tolerance=3)

for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = f"turned-{orientation}.jpg"
    save(name, grey, quality=95, exif=exif)
    read(name, tolerance=3, turned=True)
exif = Image.Exif()
exif[0x0112] = 6
for name in ["turned.png", "turned.webp"]:
    save(name, rgb, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
    read(name, turned=True)

frames = {"save_all": True, "append_images": [rgb.rotate(180)], "duration": 100}
for name, options in [("animated.png", {}), ("animated.webp", {"lossless": True}), ("animated.gif", {})]:
    save(name, rgb, **frames, **options)
    refused.append(f"{name},an animation")
save("pages.tif", grey, save_all=True, append_images=[grey])
refused.append("pages.tif,several pages")
save("print.jpg", rgb.convert("CMYK"), quality=90)
refused.append("print.jpg,the colours of print (CMYK)")
save("palette.tif", palette)
refused.append("palette.tif,colours of a palette")
save("fractions.tif", Image.fromarray(RED.astype(np.float32) / 255))
refused.append("fractions.tif,grey values of 32 bits")
whole = (HERE / "half.jpg").read_bytes()
(HERE / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
refused.append("cut.jpg,no readable image")
whole = (HERE / "rgb.png").read_bytes()
(HERE / "cut.png").write_bytes(whole[: len(whole) * 2 // 3])
refused.append("cut.png,no readable image")

(HERE / "expected.csv").write_text("\n".join(expected) + "\n")
(HERE / "refused.csv").write_text("\n".join(refused) + "\n")
