"""Pages of NCMEC as they could be recorded, with made-up hashes: what each entry becomes, and what a bad page does."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jikimi.model.exchange import Opinion, SourceRecord, Trust
from jikimi.plugs.exchanges.ncmec_lists import Environment, NcmecConfig
from jikimi.plugs.exchanges.ncmec_page import EntriesPage, Listing, read_entries, read_reasons
from jikimi.testing.ncmec import NAMESPACE, affirmed, denied

MD5, SHA1, PDQ = "a1" * 16, "b2" * 20, "c3" * 32
NEXT = (
    "/v2/entries?from=2017-10-20T00%3A00%3A00.000Z&amp;to=2017-10-30T00%3A00%3A00.000Z"
    "&amp;start=2001&amp;size=1000&amp;max=3000"
)
RECORDED = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<queryResult xmlns="{NAMESPACE}">
    <images count="2" maxTimestamp="2017-10-24T15:10:00Z">
        <image>
            <member id="42">Example &amp; Member</member>
            <timestamp>2017-10-24T15:00:00Z</timestamp>
            <id>image1</id>
            <classification>A1</classification>
            <fingerprints>
                <md5>{MD5}</md5>
                <sha1>{SHA1}</sha1>
                <pdna>a1a1a1a1...</pdna>
                <pdq>{PDQ.upper()}</pdq>
                <netclean>x7</netclean>
            </fingerprints>
        </image>
        <deletedImage>
            <member id="43">Example Member2</member>
            <id>image4</id>
            <timestamp>2017-10-24T15:10:00Z</timestamp>
        </deletedImage>
    </images>
    <videos count="2" maxTimestamp="2017-10-24T15:20:00Z">
        <video>
            <member id="42">Example Member</member>
            <timestamp>2017-10-24T15:00:00Z</timestamp>
            <id>video1</id>
            <fingerprints>
                <md5>{MD5}</md5>
                <sha1>{SHA1}</sha1>
                <tmk-pdqf rel="self" href="/v2/entries/1/fingerprints/TMK_PDQF"/>
            </fingerprints>
        </video>
        <deletedVideo>
            <member id="42">Example Member</member>
            <id>video4</id>
            <timestamp>2017-10-24T15:20:00Z</timestamp>
        </deletedVideo>
    </videos>
    <paging>
        <next>{NEXT}</next>
    </paging>
</queryResult>"""


def page_of(entries: str, listing: Listing | None = None) -> EntriesPage:
    text = f'<queryResult xmlns="{NAMESPACE}"><images>{entries}</images></queryResult>'
    return read_entries(text.encode(), listing or Listing())


def image(
    fingerprints: str = f"<md5>{MD5}</md5><pdq>{PDQ}</pdq>", more: str = "", id_: str = "image1", member: str = "42"
) -> str:
    about = f'<member id="{member}">M</member><id>{id_}</id>'
    return f"<image>{about}<fingerprints>{fingerprints}</fingerprints>{more}</image>"


def record_of(entry: str, listing: Listing | None = None) -> SourceRecord:
    (record,) = page_of(entry, listing).records
    return record


def test_a_recorded_page_becomes_records_and_an_address() -> None:
    page = read_entries(RECORDED.encode(), Listing(labels=("list:industry",)))
    image_, gone, video, gone_video = page.records
    assert [f"{one.type}:{one.text}" for one in image_.signals] == [f"md5:{MD5}", f"sha1:{SHA1}", f"pdq:{PDQ}"]
    assert image_.labels == ("list:industry", "media:image", "member:42 Example & Member", "classification:A1")
    assert image_.listed_at == datetime(2017, 10, 24, 15, tzinfo=UTC)
    assert image_.detail == {"fingerprints": {"pdna": "a1a1a1a1...", "netclean": "x7"}}
    assert (image_.key, gone.key, gone.withdrawn, gone.signals) == ("42-image1", "43-image4", True, ())
    assert [one.type for one in video.signals] == ["md5", "sha1"]
    assert video.labels == ("list:industry", "media:video", "member:42 Example Member")
    assert video.detail == {"fingerprints": {"tmk-pdqf": "/v2/entries/1/fingerprints/TMK_PDQF"}}
    assert (gone_video.key, gone_video.withdrawn) == ("42-video4", True)
    assert (page.next, page.left, page.faults) == (NEXT.replace("&amp;", "&"), 1000, ())


@pytest.mark.parametrize(
    ("votes", "opinion", "trust"),
    [
        ("", Opinion.POSITIVE, Trust.UNCONFIRMED),
        (affirmed("MD5"), Opinion.POSITIVE, Trust.UNCONFIRMED),
        (affirmed("MD5") + affirmed("PDQ"), Opinion.POSITIVE, Trust.CONFIRMED),
        (denied("MD5"), Opinion.NEGATIVE, Trust.UNCONFIRMED),
        (denied("MD5") + affirmed("MD5") + affirmed("PDQ"), Opinion.DISPUTED, Trust.CONFIRMED),
        (denied("PDNA") + affirmed("MD5"), Opinion.DISPUTED, Trust.UNCONFIRMED),
        ('<affirmativeFeedback type="MD5"><members/></affirmativeFeedback>', Opinion.POSITIVE, Trust.UNCONFIRMED),
    ],
)
def test_members_feedback_becomes_an_opinion(votes: str, opinion: Opinion, trust: Trust) -> None:
    record = record_of(image(more=f"<feedback>{votes}</feedback>"))
    assert (record.opinion, record.trust) == (opinion, trust)


@pytest.mark.parametrize("environment", Environment)
def test_each_list_says_what_it_is_and_whether_people_have_vetted_it(environment: Environment) -> None:
    listing = NcmecConfig(environment=environment, user="u", password="p").listing
    record = record_of(image(), listing)
    assert (record.trust is Trust.CONFIRMED) == ("/hashsharing.ncmec" in environment or "-test.ncmec" in environment)
    assert ("provenance:ai_generated" in record.labels) == ("generative-ai" in environment)
    assert record.labels[0] == f"list:{environment.name.lower()}"


def test_a_classification_is_somebody_who_has_looked() -> None:
    assert record_of(image(more="<classification>B2</classification>")).trust is Trust.CONFIRMED


def test_only_members_that_are_wanted_are_taken() -> None:
    page = page_of(image() + image(member="43"), Listing(only_members=frozenset({43})))
    assert [record.key for record in page.records] == ["43-image1"]


def test_of_one_entry_twice_on_a_page_the_last_counts() -> None:
    gone = '<deletedImage><member id="42">M</member><id>image1</id></deletedImage>'
    assert [record.withdrawn for record in page_of(image() + gone).records] == [True]


def test_a_bad_fingerprint_is_a_fault_and_the_others_count() -> None:
    page = page_of(image(f"<md5>{MD5[:-1]}</md5><sha1>{SHA1}</sha1>"))
    assert [signal.type for signal in page.records[0].signals] == ["sha1"]
    assert page.faults == ("42-image1: its md5 cannot be read",)


def test_an_entry_of_which_nothing_can_be_read_is_a_fault_and_leaves_what_was_known() -> None:
    assert page_of(image("<md5>zz</md5>")).records == ()


@pytest.mark.parametrize("entry", [image(id_=""), image(id_="x" * 101), image(member="many"), "<image/>"])
def test_an_entry_without_a_key_is_a_fault_and_the_page_goes_on(entry: str) -> None:
    page = page_of(entry + image())
    assert [record.key for record in page.records] == ["42-image1"]
    assert len(page.faults) == 1
    assert page.faults[0].startswith("entry 1 of its page")


@pytest.mark.parametrize("time_", ["2017-10-24T15:00:00", "2017-10-24T15:00:00.000Z", "2017-10-25T00:00:00+09:00"])
def test_a_time_is_utc_unless_it_says_otherwise(time_: str) -> None:
    record = record_of(image(more=f"<timestamp>{time_}</timestamp>"))
    assert record.listed_at == datetime(2017, 10, 24, 15, tzinfo=UTC)


BOMB = '<!DOCTYPE q [<!ENTITY a "aaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = '<!DOCTYPE q [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe<\x00q\x00/\x00>\x00",
        f"{BOMB}<queryResult>&c;</queryResult>".encode(),
        f"{OUTSIDE}<queryResult>&a;</queryResult>".encode(),
        f'<?xml version="1.0" encoding="UTF-16"?>{OUTSIDE}<queryResult/>'.encode("utf-16"),
        f'<?xml version="1.0" encoding="UTF-7"?>{OUTSIDE.replace("<!", "+ADwAIQ-")}<queryResult/>'.encode(),
        b"<queryResult>&nbsp;</queryResult>",
        b"<html><body>Sorry</body></html>",
        b"<queryResult><images></queryResult>",
        RECORDED.encode()[:-9],
        b"<q>\x00</q>",
        b"<queryResult>" + b"<a>" * 200_000,
    ],
)
def test_a_page_that_is_none_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whichever it is, it is no page
        read_entries(body, Listing())


def test_depth_and_numbers_do_no_harm() -> None:
    deep = "<a>" * 100_000 + "</a>" * 100_000
    page = page_of(f"<image>{deep}</image>" + image(member="9" * 5000) + image())
    assert (len(page.records), len(page.faults)) == (1, 2)


def test_an_address_with_absurd_numbers_says_that_something_is_left() -> None:
    text = f"<queryResult><paging><next>/v2/entries?start=x&amp;max={'9' * 50}</next></paging></queryResult>"
    assert read_entries(text.encode(), Listing()).left == 1


def test_reasons_are_read_by_name() -> None:
    text = f'<r xmlns="{NAMESPACE}"><reason guid="g1" name="One" type="MD5"/><reason name="Two"/></r>'
    assert read_reasons(text.encode()) == {"One": "g1"}


@given(st.data())
def test_whatever_is_changed_in_a_page_it_is_a_page_or_none(data: st.DataObject) -> None:
    body = bytearray(RECORDED.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        end = at + data.draw(st.integers(0, 40))
        body[at:end] = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from([b"<", b">", b"&", b"&#x0;", b"</image>"]))
        )
    try:
        page = read_entries(bytes(body), Listing())
    except ValueError:
        return
    assert all(len(signal.value) in (16, 20, 32) for record in page.records for signal in record.signals)
    assert all(value not in fault for fault in page.faults for value in (MD5, SHA1, PDQ))


@given(st.binary())
def test_any_bytes_are_a_page_or_none(body: bytes) -> None:
    try:
        assert read_entries(body, Listing()).records == ()
    except ValueError:
        return


@pytest.mark.slow
def test_a_hundred_thousand_entries_are_read_in_seconds() -> None:
    """57 000 a second where nothing else runs; what is asked for here leaves room for a busy machine."""
    began = time.process_time()
    for first in range(0, 100_000, 1000):
        entries = (
            image(f"<md5>{n:032x}</md5><sha1>{n:040x}</sha1><pdq>{n:064x}</pdq>", id_=f"image{n}")
            for n in range(first, first + 1000)
        )
        page = page_of("".join(entries))
        assert (len(page.records), page.faults) == (1000, ())
    assert time.process_time() - began < 10
