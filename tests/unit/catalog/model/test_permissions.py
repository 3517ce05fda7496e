from __future__ import annotations

from mountnd.catalog.model.permissions import (
    FEWER_KEYS,
    FLAT_REFUSALS,
    FORBIDDEN_S,
    LEARNT_S,
    REMEMBERED,
    ListingPermissions,
)


def test_fewer_keys_are_tried_once_in_a_while() -> None:
    permissions = ListingPermissions()
    assert permissions.most_keys(0) == 1000
    assert permissions.fewer_keys(1, 0) == ()
    assert permissions.fewer_keys(1000, 0) == FEWER_KEYS == (100, 10, 1)
    assert permissions.fewer_keys(1000, FORBIDDEN_S - 1) == ()
    assert permissions.fewer_keys(10, FORBIDDEN_S) == (1,)


def test_what_was_allowed_is_not_the_reason() -> None:
    permissions = ListingPermissions()
    permissions.allowed(10, flat=False)
    assert permissions.fewer_keys(10, 0) == ()
    assert permissions.fewer_keys(100, 0) == (10, 1)
    permissions.allowed(1000, flat=False)
    permissions.allowed(1, flat=False)
    assert permissions.fewer_keys(1000, 2 * FORBIDDEN_S) == ()


def test_a_limit_that_was_learnt_is_forgotten() -> None:
    permissions = ListingPermissions()
    permissions.only_fewer(10, 5.0)
    assert permissions.most_keys(5.0 + LEARNT_S - 1) == 10
    assert permissions.most_keys(5.0 + LEARNT_S) == 1000


def test_a_refusal_without_delimiter_is_of_that_prefix() -> None:
    permissions = ListingPermissions()
    assert permissions.may_list_flat("a/", 0)
    permissions.flat_refused("a/", 0)
    assert not permissions.may_list_flat("a/", FORBIDDEN_S - 1)
    assert permissions.may_list_flat("a/", FORBIDDEN_S)
    assert permissions.may_list_flat("b/", 0)


def test_after_several_in_a_row_it_is_of_all() -> None:
    permissions = ListingPermissions()
    for n in range(FLAT_REFUSALS - 1):
        permissions.flat_refused(f"{n}/", 0)
    permissions.allowed(1000, flat=False)
    assert permissions.may_list_flat("b/", 0)
    permissions.allowed(1000, flat=True)
    permissions.flat_refused("c/", 1)
    assert permissions.may_list_flat("b/", 1)
    for n in range(FLAT_REFUSALS - 1):
        permissions.flat_refused(f"{n}/", 2)
    assert not permissions.may_list_flat("b/", 2 + LEARNT_S - 1)
    assert permissions.may_list_flat("b/", 2 + LEARNT_S)


def test_no_more_is_remembered_than_is_of_use() -> None:
    permissions = ListingPermissions()
    for n in range(REMEMBERED + 1):
        permissions.flat_refused(f"{n}/", 0)
        permissions.allowed(1000, flat=True)
    assert permissions.may_list_flat("0/", 0)
    assert not permissions.may_list_flat("1/", 0)
