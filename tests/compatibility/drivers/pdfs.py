"""pdfminer and pypdf: read the text of small documents."""

import io
import sys
from concurrent.futures import ProcessPoolExecutor

PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources %s >>"


def document(number):
    lines = "".join(f"({number}.{line} the quick brown fox) Tj 0 -14 Td " for line in range(30))
    page = f"BT /F1 12 Tf 72 720 Td {lines}ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE % b"<< /Font << /F1 5 0 R >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text, places = b"%PDF-1.4\n", []
    for index, each in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (index, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(text)
    return text + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def read_with_pdfminer(data):
    from pdfminer.high_level import extract_text

    return extract_text(io.BytesIO(data))


def read_with_pypdf(data):
    from pypdf import PdfReader

    return PdfReader(io.BytesIO(data)).pages[0].extract_text()


if __name__ == "__main__":
    read = {"pdfminer": read_with_pdfminer, "pypdf": read_with_pypdf}[sys.argv[1]]
    with ProcessPoolExecutor(2) as pool:
        for text in pool.map(read, map(document, range(40))):
            print(text.strip())
