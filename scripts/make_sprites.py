"""Draw the sprite sheet of the embedded world from the Fluent Emoji pictograms (MIT, Microsoft).

Usage: npm pack @iconify-json/fluent-emoji-flat && tar xzf iconify-json-fluent-emoji-flat-*.tgz
       pip install -e ".[sprites]" && python scripts/make_sprites.py package/icons.json
"""

import io
import json
import sys
from pathlib import Path

import resvg_py
from PIL import Image

from srpo.world.draw import COLUMNS, SPRITE
from srpo.world.knowledge import ASSETS, load_world


def main(icons_path: Path) -> None:
    icons = json.loads(icons_path.read_text())["icons"]
    names = [icon for _, icon in sorted(load_world().icons.items())]
    rows = -(-len(names) // COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * SPRITE, rows * SPRITE))
    for index, name in enumerate(names):
        body = icons[name]["body"]
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{body}</svg>'
        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SPRITE, height=SPRITE))
        sprite = Image.open(io.BytesIO(png)).convert("RGBA")
        sheet.paste(sprite, (index % COLUMNS * SPRITE, index // COLUMNS * SPRITE))
    sheet.save(ASSETS / "sprites.png", optimize=True)
    print(f"{len(names)} sprites -> {ASSETS / 'sprites.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
