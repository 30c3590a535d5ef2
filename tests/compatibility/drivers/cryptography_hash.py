"""cryptography: a module made with PyO3."""

from concurrent.futures import ProcessPoolExecutor

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC


def stretch(number):
    return PBKDF2HMAC(SHA256(), 32, b"salt", 20_000).derive(str(number).encode()).hex()


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        for text in pool.map(stretch, range(40)):
            print(text)
