"""HEIC and AVIF files that no encoder writes: grids of one tile, and worse (ISO 23008-12)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from PIL import Image

from image_files import encoded, heic_of


def heic(side: int, exif: bytes | None = None) -> bytes:
    """Return a HEIC of one colour."""
    return heic_of(Image.new("RGB", (side, side), (9, 99, 200)), exif=exif)


def avif(side: int) -> bytes:
    """Return an AVIF of one colour."""
    return encoded(Image.new("RGB", (side, side), (9, 99, 200)), "AVIF")


def with_wide_box(data: bytes) -> bytes:
    """Return an AVIF as libavif writes it, with a box whose size has 64 bits behind its first."""
    box = struct.pack(">I4sQ", 1, b"free", 16)
    moved = bytearray(data)
    place = data.index(b"iloc") + 10
    (count,) = struct.unpack_from(">H", data, place)
    for item in range(count):
        at = place + 2 + 14 * item + 6
        struct.pack_into(">I", moved, at, struct.unpack_from(">I", data, at)[0] + len(box))
    (first,) = struct.unpack_from(">I", data)
    return bytes(moved[:first]) + box + bytes(moved[first:])


def heic_grid(columns: int, rows: int, side: int) -> bytes:
    """Return a HEIC of ``columns`` x ``rows`` tiles of ``side`` px squared."""
    return _grid(heic(side), (b"heic", b"hvc1", b"hvcC"), columns, rows, side)


def avif_grid(columns: int, rows: int, side: int) -> bytes:
    """Return an AVIF of ``columns`` x ``rows`` tiles of ``side`` px squared."""
    return _grid(avif(side), (b"avif", b"av01", b"av1C"), columns, rows, side)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _part(data: bytes, kind: bytes) -> bytes:
    """Return the first box of a kind."""
    start = data.index(kind) - 4
    (size,) = struct.unpack_from(">I", data, start)
    return data[start : start + size]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An item of a file: its kind, its data, and the boxes of its properties.

    One that is hidden is not shown by itself, as a tile is not.
    """

    kind: bytes
    data: bytes
    properties: tuple[bytes, ...]
    is_hidden: bool = False


def _coded(file: bytes, codec: bytes, configuration: bytes, side: int) -> _Item:
    """Return the picture of a file, which is of ``side`` px squared, as an item."""
    properties = (_size(side, side), _part(file, configuration))
    return _Item(kind=codec, data=_part(file, b"mdat")[8:], properties=properties)


def _size(width: int, height: int) -> bytes:
    return _full(b"ispe", 0, struct.pack(">II", width, height))


def _file(
    brand: bytes,
    items: list[_Item],
    *references: tuple[bytes, int, list[int]],
    is_wide: bool = False,
    has_boxes_of_links: bool = False,
) -> bytes:
    """Return a file of items whose numbers begin with 1, the picture.

    ``references`` are each a kind, an item, and the items that it names. In a wide file all numbers
    have the larger of their sizes, and the items' data is within ``meta`` where it can be. The
    links from items to their properties are in one box, or in one for each item.
    """
    if is_wide:
        return _wide_file(brand, items, *references)
    head = _box(b"ftyp", brand, bytes(4), b"mif1", brand)
    boxes = list(dict.fromkeys(box for item in items for box in item.properties))
    uses = (
        _box(kind, struct.pack(f">HH{len(named)}H", item, len(named), *named))
        for kind, item, named in references
    )

    def links() -> Iterator[bytes]:
        for number, item in enumerate(items, 1):
            link = struct.pack(">HB", number, len(item.properties))
            for box in item.properties:
                index = boxes.index(box) + 1
                link += bytes([index | (0 if box[4:8] == b"ispe" else 0x80)])
            yield link

    groups = [[link] for link in links()] if has_boxes_of_links else [list(links())]

    fixed = [
        _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
        _full(b"pitm", 0, struct.pack(">H", 1)),
        _full(
            b"iinf",
            0,
            struct.pack(">H", len(items)),
            *(
                _box(
                    b"infe",
                    struct.pack(">IHH", 2 << 24 | item.is_hidden, number, 0),
                    item.kind,
                    b"\0",
                )
                for number, item in enumerate(items, 1)
            ),
        ),
        _full(b"iref", 0, *uses),
        _box(
            b"iprp",
            _box(b"ipco", *boxes),
            *(_full(b"ipma", 0, struct.pack(">I", len(group)), *group) for group in groups),
        ),
    ]

    def meta(start: int) -> bytes:
        places = []
        for number, item in enumerate(items, 1):
            places.append(struct.pack(">HHHII", number, 0, 1, start, len(item.data)))
            start += len(item.data)
        where = _full(b"iloc", 0, b"\x44\0", struct.pack(">H", len(items)), *places)
        return _full(b"meta", 0, *fixed, where)

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", *(item.data for item in items))


def _wide_file(
    brand: bytes, items: list[_Item], *references: tuple[bytes, int, list[int]]
) -> bytes:
    boxes = [box for item in items for box in item.properties]
    uses = (
        _box(kind, struct.pack(f">IH{len(named)}I", item, len(named), *named))
        for kind, item, named in references
    )
    kinds = (
        _full(b"infe", 3, struct.pack(">IH", number, 0), item.kind, b"\0")
        for number, item in enumerate(items, 1)
    )
    links, places = [], []
    index = start = 0
    for number, item in enumerate(items, 1):
        links.append(struct.pack(">IB", number, len(item.properties)))
        for box in item.properties:
            index += 1
            links.append(struct.pack(">H", index | (0 if box[4:8] == b"ispe" else 0x8000)))
        # Construction method 1, a base, and one piece with an index.
        place = (number, 1, 0, start, 1, 0, 0, len(item.data))
        places.append(struct.pack(">IHHQHIII", *place))
        start += len(item.data)
    many = struct.pack(">I", len(items))
    data = b"".join(item.data for item in items)
    free = struct.pack(">I4sQ", 1, b"free", 16 + 4) + bytes(4)
    linked = struct.pack(">I4s", 12 + 4 + len(b"".join(links)), b"ipma") + b"\1\0\0\1" + many
    return _box(b"ftyp", brand, bytes(4), b"mif1", brand) + _full(
        b"meta",
        0,
        _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
        free,
        _full(b"pitm", 1, struct.pack(">I", 1)),
        _full(b"iinf", 1, many, *kinds),
        _full(b"iref", 1, *uses),
        _box(b"iprp", _box(b"ipco", *boxes), linked + b"".join(links)),
        _full(b"iloc", 2, b"\x44\x84", many, *places),
        _box(b"idat", data),
    )


def _layout(columns: int, rows: int, side: int) -> _Item:
    """Return a grid as an item, without its tiles."""
    width, height = columns * side, rows * side
    data = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    return _Item(kind=b"grid", data=data, properties=(_size(width, height),))


def _grid(
    tile: bytes, names: tuple[bytes, bytes, bytes], columns: int, rows: int, side: int
) -> bytes:
    """Return the file; ``names`` are those of the brand, the codec and its configuration's box."""
    brand, codec, configuration = names
    items = [_layout(columns, rows, side), _coded(tile, codec, configuration, side)]
    return _file(brand, items, (b"dimg", 1, [2] * (columns * rows)))


def heic_with_alpha(columns: int, rows: int, side: int) -> bytes:
    """Return a HEIC of 64x64 px whose alpha plane is a grid."""
    alpha = _layout(columns, rows, side)
    kind = _full(b"auxC", 0, b"urn:mpeg:hevc:2015:auxid:1\0")
    items = [
        _coded(heic(64), b"hvc1", b"hvcC", 64),
        replace(alpha, properties=(*alpha.properties, kind)),
        _coded(heic(side), b"hvc1", b"hvcC", side),
    ]
    return _file(b"heic", items, (b"auxl", 2, [1]), (b"dimg", 2, [3] * (columns * rows)))


def heic_of_shared_exif(count: int, size: int) -> bytes:
    """Return a HEIC with ``count`` EXIF items, all of which are the same bytes of the file."""
    picture = _coded(heic(64), b"hvc1", b"hvcC", 64)
    exif = _Item(kind=b"Exif", data=bytes(4) + b"II*\0" + bytes(size), properties=())
    items = [picture, exif, *[replace(exif, data=b"")] * (count - 1)]
    data = _file(b"heic", items, *((b"cdsc", item, [1]) for item in range(2, count + 2)))
    place = data.index(b"iloc") + 4 + 4 + 2 + 2 + 14  # the entry of the first one, of 14 bytes
    place_of_all = data[place + 6 : place + 14]
    for entry in range(place + 14, place + 14 * count, 14):
        data = data[: entry + 6] + place_of_all + data[entry + 14 :]
    return data


def heic_of_described_pictures(count: int, exif_bytes: int) -> bytes:
    """Return a HEIC of so many pictures, which one EXIF item describes; libheif reads up to 49."""
    picture = _coded(heic(64), b"hvc1", b"hvcC", 64)
    exif = _Item(kind=b"Exif", data=bytes(4) + b"II*\0" + bytes(exif_bytes), properties=())
    items = [*[picture] * count, exif]
    return _file(b"heic", items, (b"cdsc", count + 1, list(range(1, count + 1))))


def heic_with_profile(times: int, size: int) -> bytes:
    """Return a HEIC whose picture is linked to one colour profile again and again."""
    picture = _coded(heic(64), b"hvc1", b"hvcC", 64)
    profile = _box(b"colr", b"prof", bytes(size))
    data = _file(b"heic", [replace(picture, properties=(*picture.properties, profile))])
    place = data.index(b"ipma") - 4
    links = bytes([1, 0x82, *[3] * times])
    box = _full(b"ipma", 0, struct.pack(">IHB", 1, 1, len(links)), links)
    grown = len(box) - struct.unpack_from(">I", data, place)[0]
    whole = bytearray(data[:place] + box + data[place + len(box) - grown :])
    for name in (b"iprp", b"meta"):
        at = whole.index(name) - 4
        struct.pack_into(">I", whole, at, struct.unpack_from(">I", whole, at)[0] + grown)
    at = whole.index(b"iloc") + 4 + 4 + 2 + 2 + 6  # where the picture's data begins
    struct.pack_into(">I", whole, at, struct.unpack_from(">I", whole, at)[0] + grown)
    return bytes(whole)


def heic_grid_with_profile(columns: int, rows: int, size: int) -> bytes:
    """Return a HEIC of hidden tiles of 64 px squared, each linked to one colour profile."""
    tile = _coded(heic(64), b"hvc1", b"hvcC", 64)
    profile = _box(b"colr", b"prof", bytes(size))
    tile = replace(tile, properties=(*tile.properties, profile), is_hidden=True)
    numbers = list(range(2, columns * rows + 2))
    return _file(
        b"heic", [_layout(columns, rows, 64), *[tile] * len(numbers)], (b"dimg", 1, numbers)
    )


def heic_of_idle_units(columns: int, rows: int, count: int) -> bytes:
    """Return a HEIC of one tile, named for all of them, with ``count`` units that say nothing."""
    tile = _coded(heic(64), b"hvc1", b"hvcC", 64)
    idle = struct.pack(">IBB", 2, 48 << 1, 1)
    items = [_layout(columns, rows, 64), replace(tile, data=idle * count + tile.data)]
    return _file(b"heic", items, (b"dimg", 1, [2] * (columns * rows)))


def heic_of_idle_configuration(columns: int, rows: int, arrays: int) -> bytes:
    """Return a HEIC of one tile, named for all of them, whose configuration has idle units.

    Each array has 65,535 of them, and 256 kB.
    """
    tile = _coded(heic(64), b"hvc1", b"hvcC", 64)
    size, configuration = tile.properties
    head, count, own = configuration[8:30], configuration[30], configuration[31:]
    idle = struct.pack(">BH", 48, 65_535) + struct.pack(">HBB", 2, 48 << 1, 1) * 65_535
    box = _box(b"hvcC", head, bytes([count + arrays]), own, idle * arrays)
    items = [_layout(columns, rows, 64), replace(tile, properties=(size, box))]
    return _file(b"heic", items, (b"dimg", 1, [2] * (columns * rows)))


def heic_of_layers(width: int, height: int, *, count: int = 1) -> bytes:
    """Return a HEIC that claims 64x64 px, of pictures laid over a canvas of another size."""
    canvas = struct.pack(">BBHHHHII", 0, 1, 0, 0, 0, 65_535, width, height)
    layers = _Item(kind=b"iovl", data=canvas + bytes(8) * count, properties=(_size(64, 64),))
    items = [layers, _coded(heic(64), b"hvc1", b"hvcC", 64)]
    return _file(b"heic", items, (b"dimg", 1, [2] * count))


def heic_turned(times: int) -> bytes:
    """Return a HEIC of 25 x 25 tiles of 256 px that is turned again and again."""
    grid = _layout(25, 25, 256)
    turned = replace(grid, properties=(*grid.properties, *[_box(b"irot", b"\1")] * times))
    items = [turned, _coded(heic(256), b"hvc1", b"hvcC", 256)]
    return _file(b"heic", items, (b"dimg", 1, [2] * 625))


def heic_cropped(columns: int, rows: int, side: int) -> bytes:
    """Return a HEIC of tiles that is cropped to 64x64 px, the size that libheif tells."""
    grid = _layout(columns, rows, side)
    crop = _box(b"clap", struct.pack(">8I", 64, 1, 64, 1, 0, 1, 0, 1))
    items = [
        replace(grid, properties=(*grid.properties, crop)),
        _coded(heic(side), b"hvc1", b"hvcC", side),
    ]
    return _file(b"heic", items, (b"dimg", 1, [2] * (columns * rows)))


def avif_tiles(columns: int, rows: int, side: int, *, claimed: int, is_shared: bool) -> bytes:
    """Return an AVIF of equal tiles, each an item that claims ``claimed`` px squared.

    Their data is in the file once, as libavif writes it, or once for each of them.
    """
    count = columns * rows
    tile = _coded(avif(side), b"av01", b"av1C", side)
    tile = replace(tile, properties=(_size(claimed, claimed), *tile.properties[1:]))
    layout = _layout(columns, rows, claimed)
    items = [layout, tile, *[replace(tile, data=b"") if is_shared else tile] * (count - 1)]
    data = _file(b"avif", items, (b"dimg", 1, list(range(2, count + 2))))
    place = data.index(b"iloc") + 4 + 4 + 2 + 2  # the grid's entry, of 14 bytes as all are
    first = data[place + 14 + 6 : place + 28]
    for entry in range(place + 28, place + 14 * (count + 1), 14):
        if is_shared:
            data = data[: entry + 6] + first + data[entry + 14 :]
    return data


def heic_of_itself() -> bytes:
    """Return a HEIC whose picture is a grid of itself."""
    items = [_layout(2, 1, 32), _coded(heic(64), b"hvc1", b"hvcC", 64)]
    return _file(b"heic", items, (b"dimg", 1, [1, 2]))


def heic_with_two(kind: bytes) -> bytes:
    """Return a HEIC in which one box within ``meta`` is there twice."""
    data = heic_grid(1, 1, 64)
    place = data.index(b"meta") - 4
    box = _part(data, kind)
    (size,) = struct.unpack_from(">I", data, place)
    return (
        data[:place]
        + struct.pack(">I", size + len(box))
        + data[place + 4 : place + 12]
        + box
        + (data[place + 12 :])
    )


def avif_of_a_large_frame(side: int) -> bytes:
    """Return an AVIF that claims 64x64 px, of one frame of ``side`` px squared."""
    data = bytearray(avif(side))
    place = data.index(b"ispe") + 8
    data[place : place + 8] = struct.pack(">II", 64, 64)
    return bytes(data)


def avif_of_shared_data() -> bytes:
    """Return an AVIF of 100 tiles, each of which names all the data there is."""
    tile = avif(64)
    one = _coded(tile, b"av01", b"av1C", 64)
    data = _file(b"avif", [_layout(10, 10, 64), *[one] * 100], (b"dimg", 1, list(range(2, 102))))
    # The longest piece of data that an item has is said to be every item's.
    place = data.index(b"iloc") + 4 + 4 + 2 + 2
    end = len(data)
    for number in range(2, 102):
        at = place + 14 * (number - 1)
        start = struct.unpack_from(">I", data, place + 14 + 6)[0]
        data = data[: at + 6] + struct.pack(">II", start, end - start) + data[at + 14 :]
    return data


def avif_of_units(items: int, header: bytes) -> bytes:
    """Return an AVIF of so many items, the data of each being a sequence header 1,000 times."""
    unit = bytes([1 << 3 | 2, len(header)]) + header
    first = _Item(kind=b"av01", data=unit * 1_000, properties=(_size(64, 64),))
    return _file(b"avif", [first, *[replace(first, properties=())] * (items - 1)])


def avif_with_alpha(side: int, *, has_boxes_of_links: bool) -> bytes:
    """Return an AVIF with an alpha plane; cavif wrote a box of links for each of the two."""
    picture = _coded(avif(side), b"av01", b"av1C", side)
    kind = _full(b"auxC", 0, b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    alpha = replace(picture, properties=(*picture.properties, kind))
    references = (b"auxl", 2, [1])
    return _file(b"avif", [picture, alpha], references, has_boxes_of_links=has_boxes_of_links)


def avif_film(side: int) -> bytes:
    """Return an animated AVIF of two frames, whose film says nothing of its size that is read."""
    pictures = [Image.new("RGB", (side, side), shade) for shade in ("red", "blue")]
    return encoded(pictures[0], "AVIF", save_all=True, append_images=pictures[1:])


def wide(codec: str) -> bytes:
    """Return a HEIC or AVIF of 2 x 2 tiles of 64 px squared with an alpha plane of 128.

    All numbers in its boxes are large, and its data is within ``meta``.
    """
    brand, kind, configuration, picture, urn = {
        "HEIF": (b"heic", b"hvc1", b"hvcC", heic, b"urn:mpeg:hevc:2015:auxid:1"),
        "AVIF": (
            *(b"avif", b"av01", b"av1C", avif),
            b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
        ),
    }[codec]
    alpha = _coded(picture(128), kind, configuration, 128)
    alpha = replace(alpha, properties=(*alpha.properties, _full(b"auxC", 0, urn + b"\0")))
    items = [_layout(2, 2, 64), _coded(picture(64), kind, configuration, 64), alpha]
    return _file(brand, items, (b"dimg", 1, [2] * 4), (b"auxl", 3, [1]), is_wide=True)
