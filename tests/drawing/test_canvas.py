"""What is drawn can be seen and read: on any ground, and beside whatever else is drawn."""

import itertools

import pytest
from PIL import Image, ImageDraw, ImageFilter

from aistudio.drawing import PAPER, Canvas, Tile, contact_sheet
from aistudio.drawing.colours import BLACK, INK, WHITE
from aistudio.drawing.places import free_place

RED = (220, 20, 20)
GROUNDS = [(255, 255, 255), (0, 0, 0), (128, 128, 128)]
SQUARE = [(10, 10), (30, 10), (30, 30), (10, 30)]


def canvas(ground=(255, 255, 255), size=(40, 40)):
    return Canvas(Image.new("RGB", size, ground))


def colours(image, box):
    return {colour for _, colour in image.crop(box).getcolors(1 << 20)}


@pytest.mark.parametrize("ground", GROUNDS, ids=["white", "black", "grey"])
def test_a_dashed_outline_is_black_and_white_on_every_ground(ground):
    drawn = canvas(ground)
    drawn.polygon(SQUARE, WHITE, dashed=True)
    edge = colours(drawn.image, (10 * 18, 10 * 18 - 4, 30 * 18, 10 * 18 + 4))
    assert {(0, 0, 0), (255, 255, 255)} <= edge


@pytest.mark.parametrize("ground", GROUNDS, ids=["white", "black", "grey"])
def test_a_dashed_area_has_an_outline_and_no_tint(ground):
    mask = Image.new("L", (40, 40))
    ImageDraw.Draw(mask).rectangle((10, 10, 30, 30), fill=255)
    drawn = canvas(ground)
    drawn.area(mask, WHITE, dashed=True)
    assert {(0, 0, 0), (255, 255, 255)} <= colours(drawn.image, (150, 150, 570, 200))
    assert drawn.image.getpixel((360, 360)) == ground == drawn.image.getpixel((5, 5))


def test_an_area_is_tinted_inside_and_its_edge_is_no_staircase():
    mask = Image.new("L", (24, 24))
    ImageDraw.Draw(mask).polygon([(2, 2), (21, 2), (2, 21)], fill=255)
    drawn = canvas()
    drawn.area(mask, RED)
    red, green, _ = drawn.image.getpixel((200, 200))
    assert red > green and drawn.image.getpixel((690, 690)) == (255, 255, 255)
    white = (255, 255, 255)
    edge = [next(x for x in range(719, 0, -1) if drawn.image.getpixel((x, y)) != white) for y in range(150, 450, 2)]
    jumps = [abs(a - b) for a, b in itertools.pairwise(edge)]
    assert max(jumps) < 10  # of a block's 30 pixels


def whole(mask, dashed):
    """An area on a grey canvas as it comes out where every step takes the whole canvas."""
    on = Canvas(Image.new("RGB", (96, 96), (90, 90, 90)))
    grown = mask.resize(on.image.size, Image.Resampling.BILINEAR)
    blur = ImageFilter.GaussianBlur(0.6 * on.image.width / mask.width)
    inside = grown.filter(blur).point(lambda value: 255 if value > 127 else 0)
    ring = on._ring(inside, on.line + (4 if dashed else 2))
    if dashed:
        on.image.paste(BLACK, mask=ring)
        on.image.paste(RED, mask=on._striped(on._ring(inside, on.line), (0, 0, *on.image.size)))
        return on.image
    on.image.paste(RED, mask=inside.point(lambda value: round(0.45 * value)))
    on.image.paste(INK, mask=ring)
    on.image.paste(RED, mask=on._ring(inside, on.line - 1))
    return on.image


@pytest.mark.parametrize("dashed", [False, True])
@pytest.mark.parametrize("place", [(40, 30, 60, 70), (0, 0, 8, 8), (90, 50, 96, 96), (10, 80, 12, 82), (0, 0, 96, 96)])
def test_an_area_is_the_same_as_if_all_of_the_canvas_had_been_looked_at(place, dashed):
    mask = Image.new("L", (96, 96))
    ImageDraw.Draw(mask).ellipse(place, 255)
    on = Canvas(Image.new("RGB", (96, 96), (90, 90, 90)))
    on.area(mask, RED, dashed=dashed)
    assert on.image.tobytes() == whole(mask, dashed).tobytes()


def test_an_empty_area_draws_nothing():
    on = Canvas(Image.new("RGB", (64, 64), (90, 90, 90)))
    before = on.image.tobytes()
    on.area(Image.new("L", (64, 64)), RED)
    on.area(Image.new("L", (64, 64)), RED, dashed=True)
    assert on.image.tobytes() == before


def test_twenty_tags_at_one_point_all_have_a_place_of_their_own_inside_the_image():
    drawn = canvas()
    for index in range(20):
        drawn.tag(20, 20, f"class {index}  0.{index:02}", RED)
    drawn.finish([])
    assert len(drawn.taken) == 20
    assert not any(one.covers(other) for one, other in itertools.combinations(drawn.taken, 2))
    assert all(one.left >= 0 and one.top >= 0 and one.right < 720 and one.bottom < 720 for one in drawn.taken)


def test_a_tag_keeps_clear_of_the_badge():
    drawn = canvas()
    drawn.badge("cat   83 %", RED)
    drawn.tag(0, 0, "dog", RED)
    drawn.finish([])
    assert not drawn.taken[0].covers(drawn.taken[1])


def test_a_tag_is_where_it_is_asked_for_when_nothing_is_there():
    assert free_place((100, 200), (50, 20), (720, 720), []) == (100, 180, 150, 200)


def test_where_everything_is_taken_a_tag_is_still_drawn_inside():
    place = free_place((5, 5), (50, 20), (60, 30), [free_place((0, 0), (59, 29), (60, 30), [])])
    assert place.left >= 0 and place.right <= 60


def test_words_below_are_broken_and_not_cut():
    short, long = canvas().finish(["a line"]), canvas().finish(["a line of many words " * 20])
    assert short.width == long.width == 720 and long.height > short.height + 100


def test_small_images_are_enlarged_pixel_by_pixel_and_large_ones_reduced():
    small = Image.new("RGB", (2, 2), "white")
    small.putpixel((0, 0), (10, 20, 30))
    drawn = Canvas(small).image
    assert drawn.size == (720, 720) and drawn.getpixel((358, 358)) == (10, 20, 30)
    assert drawn.getpixel((362, 362)) == (255, 255, 255)
    assert Canvas(Image.new("RGB", (4000, 2000))).image.size == (720, 360)


def test_a_sheet_has_every_tile_and_writes_below_each():
    tiles = [Tile(Image.new("RGB", (960, 960), shade), f"{shade}.jpg") for shade in ("red", "lime", "blue")]
    sheet = contact_sheet(tiles, "a heading", ["a note"])
    shown = {colour for _, colour in sheet.getcolors(1 << 20)}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255), INK, PAPER} <= shown
    named = contact_sheet([tile._replace(name="") for tile in tiles], "a heading", ["a note"])
    assert sheet.height > named.height


def test_a_wide_drawing_has_a_row_to_itself():
    wide, square = Image.new("RGB", (1930, 960)), Image.new("RGB", (960, 960))
    assert contact_sheet([Tile(wide)] * 2, "").height > contact_sheet([Tile(square)] * 2, "").height


@pytest.mark.parametrize("name", ["", "x" * 400, "a\nb\x1b[31m", "größe/照片.jpg"])
def test_any_name_fits(name):
    assert contact_sheet([Tile(Image.new("RGB", (96, 96)), name)], name).width < 1100
