"""Small damages to the text of a table."""

MARKS = [b",", b";", b"\t", b"\n", b'"', b"\0", b"#", b"1e999", b"nan", b"\xff", b" ", b"-"]


def edited(content, random):
    """Bytes with one to three marks inserted, or a few bytes lost, anywhere."""
    content = bytearray(content)
    for _ in range(random.integers(1, 4)):
        place = random.integers(len(content) + 1)
        if random.random() < 0.5:
            content[place:place] = MARKS[random.integers(len(MARKS))]
        else:
            del content[place : place + random.integers(1, 4)]
    return content
