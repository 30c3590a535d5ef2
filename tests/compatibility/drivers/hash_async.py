"""asyncio, with a process pool for what takes long."""

import asyncio
import hashlib
from concurrent.futures import ProcessPoolExecutor


def stretch(number):
    return hashlib.pbkdf2_hmac("sha256", str(number).encode(), b"salt", 40_000).hex()


async def main():
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2) as pool:
        for text in await asyncio.gather(*(loop.run_in_executor(pool, stretch, n) for n in range(40))):
            print(text)


if __name__ == "__main__":
    asyncio.run(main())
