"""Floor A: fetch every page, 8 in flight, and throw it away."""

import pages_of

if __name__ == "__main__":
    pages_of.run(lambda page, body: None)
