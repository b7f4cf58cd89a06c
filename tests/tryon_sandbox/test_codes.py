"""The vendor's codes, held to the document's table (section 6)."""

from __future__ import annotations

import pytest

from tryon_sandbox.codes import VENDOR_MEANINGS, VendorCode

DOCUMENT = [
    (23500000, 500, "Internal server error."),
    (23500001, 401, "Authorization required to perform current operation."),
    (23500002, 404, "Specified service does not exist."),
    (23500003, 403, "User credit points are exhausted."),
    (23500004, 403, "Request was denied due to request throttling."),
    (23500005, 403, "The image did not pass the content compliance check."),
    (23500006, 400, "The image url provided is invalid or non-accessible."),
    (23500007, 400, "The uploaded image does not meet the requirements."),
    (23500008, 400, "No records found related to the specified resultKey parameter."),
    (23500009, 400, "Required parameters cannot be empty."),
    (23500011, 500, "Job execution failed."),
    (23500012, 400, "Required request body is missing."),
    (23500013, 400, "Illegal input parameter found."),
    (23500014, 400, "Illegal service name."),
    (23500015, 400, "Too many people in the image."),
    (23500016, 400, "No people found in the image."),
]


@pytest.mark.parametrize(("code", "status", "message"), DOCUMENT)
def test_each_code_has_the_document_s_status_and_words(code: int, status: int, message: str) -> None:
    meaning = VENDOR_MEANINGS[VendorCode(code)]

    assert (meaning.status, meaning.message) == (status, message)


def test_there_are_no_codes_besides_the_document_s() -> None:
    assert {int(code) for code in VendorCode} == {code for code, _, _ in DOCUMENT} == set(VENDOR_MEANINGS)
