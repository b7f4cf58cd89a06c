"""An image of the shop's: what it is, what the vendor asks of it, and what can be put right.

``kinds`` tells a file by how it begins, ``reading`` measures it, ``rules`` holds the measures to the vendor's
document, ``findings`` has the words for what is wrong, ``repair`` makes a copy that keeps the rules. None of them
knows where an image comes from, the ledger, or Airflow; the image library is loaded with the first image.
"""
