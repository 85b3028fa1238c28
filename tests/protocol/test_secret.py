from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest

from airflow_oauth_provider.protocol.secret import Secret

SECRET = Secret("hunter2-hunter2")


def test_nothing_that_prints_it_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("x").info("%s %r %s", SECRET, SECRET, {"secret": SECRET})
    texts = [str(SECRET), repr(SECRET), f"{SECRET:>40}", f"{SECRET!r}", str([SECRET]), caplog.text]
    assert not [text for text in texts if "hunter2" in text]
    assert SECRET.reveal() == "hunter2-hunter2"


def test_it_leaves_no_process() -> None:
    for leave in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            leave(SECRET)
        assert "hunter2" not in str(caught.value)
    assert copy.copy(SECRET) is SECRET
    assert copy.deepcopy([SECRET])[0] is SECRET


def test_equal_secrets_are_equal_and_a_text_is_none() -> None:
    assert Secret("hunter2-hunter2") == SECRET
    assert hash(Secret("hunter2-hunter2")) == hash(SECRET)
    assert Secret("other") != SECRET
    assert SECRET.__eq__("hunter2-hunter2") is False
    assert (bool(SECRET), bool(Secret(""))) == (True, False)
