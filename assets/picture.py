#!/usr/bin/env python3
"""Draws a terminal's screen as SVG: `tmux capture-pane -p -e | assets/picture.py > assets/board.svg`.

Reads text with SGR sequences (16, 256 and true colours, bold, dim, reverse) from standard input.
"""
import collections
import html
import itertools
import re
import sys
import unicodedata

BASE = ["#1d1f21", "#cc6666", "#b5bd68", "#f0c674", "#81a2be", "#b294bb", "#8abeb7", "#c5c8c6",
        "#666666", "#d54e53", "#b9ca4a", "#e7c547", "#7aa6da", "#c397d8", "#70c0b1", "#eaeaea"]
INK, PAPER = "#c5c8c6", "#101214"
CELL_W, CELL_H = 9, 19


def indexed(n):
    if n < 16:
        return BASE[n]
    if n < 232:
        n -= 16
        level = [0, 95, 135, 175, 215, 255]
        return "#%02x%02x%02x" % (level[n // 36], level[n // 6 % 6], level[n % 6])
    return "#%02x%02x%02x" % ((8 + (n - 232) * 10,) * 3)


class Pen:
    def __init__(self):
        self.reset()

    def reset(self):
        self.fg, self.bg, self.bold, self.dim, self.reverse = INK, PAPER, False, False, False

    def apply(self, codes):
        codes = list(codes) or [0]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.reset()
            elif c in (1, 2, 7):
                setattr(self, {1: "bold", 2: "dim", 7: "reverse"}[c], True)
            elif c == 22:
                self.bold = self.dim = False
            elif c == 27:
                self.reverse = False
            elif c in (38, 48):
                kind = codes.pop(0) if codes else 0
                colour = indexed(codes.pop(0)) if kind == 5 else "#%02x%02x%02x" % tuple(codes[:3])
                if kind == 2:
                    del codes[:3]
                setattr(self, "fg" if c == 38 else "bg", colour)
            elif c == 39:
                self.fg = INK
            elif c == 49:
                self.bg = PAPER
            elif 30 <= c <= 37 or 90 <= c <= 97:
                self.fg = BASE[c - 30 if c < 90 else c - 82]
            elif 40 <= c <= 47 or 100 <= c <= 107:
                self.bg = BASE[c - 40 if c < 100 else c - 92]

    def style(self):
        fg, bg = (self.bg, self.fg) if self.reverse else (self.fg, self.bg)
        return fg, bg, self.bold, self.dim


def cells(line, pen):
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        found = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if found:
            pen.apply(int(n or 0) for n in found.group(1).split(";"))
            continue
        for char in part:
            yield char, pen.style(), 2 if unicodedata.east_asian_width(char) in "WF" else 1


def ground(lines):
    """The colour that most of the screen has: what stands on it needs no box, and the margin has it too."""
    pen = Pen()
    counted = collections.Counter(style[1] for line in lines for _, style, _ in cells(line, pen))
    return counted.most_common(1)[0][0] if counted else PAPER


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    paper = ground(lines)
    pen, boxes, texts, width = Pen(), [], [], 0
    for row, line in enumerate(lines):
        column, y = 0, row * CELL_H
        # Characters of one style are one run; its length is given, so that any font keeps the columns.
        for style, run in itertools.groupby(cells(line, pen), key=lambda cell: cell[1]):
            run = list(run)
            (fg, bg, bold, dim), text = style, "".join(cell[0] for cell in run)
            x, length = column * CELL_W, sum(cell[2] for cell in run) * CELL_W
            column += length // CELL_W
            if bg != paper:
                boxes.append(f'<rect x="{x}" y="{y}" width="{length}" height="{CELL_H}" fill="{bg}"/>')
            if text.strip():
                extra = ' font-weight="bold"' if bold else ""
                extra += ' opacity="0.6"' if dim else ""
                texts.append(f'<text x="{x}" y="{y + 14}" textLength="{length}" fill="{fg}"{extra} '
                             f'xml:space="preserve">{html.escape(text)}</text>')
        width = max(width, column)
    w, h = width * CELL_W, len(lines) * CELL_H
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -12 {w + 24} {h + 24}" '
          f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="15">')
    print(f'<rect x="-12" y="-12" width="{w + 24}" height="{h + 24}" rx="8" fill="{paper}"/>')
    print("\n".join(boxes + texts))
    print("</svg>")


main()
