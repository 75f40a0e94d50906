"""SQL macros of the decoder's queries: what several columns need, under a name that says what it is."""

from __future__ import annotations

from weakref import WeakSet

import duckdb

from crm_assets.extract.decode.digits import MARK, NUMBER, TEXT

MACROS = f"""
-- The text of a number that was marked on its way (digits.py), and any other text as it is.
CREATE OR REPLACE MACRO unmarked(t) AS
    CASE WHEN starts_with(t, '{MARK}') THEN substr(t, {len(NUMBER) + 1}) ELSE t END;

-- The same for the texts inside JSON: marked numbers become numbers again, or texts without their mark.
CREATE OR REPLACE MACRO unmarked_json(j) AS CASE WHEN contains(j, '{MARK}')
    THEN replace(regexp_replace(j, '"{NUMBER}([^"]*)"', '\\1', 'g'), '{TEXT}', '') ELSE j END;

-- Whether a json_type is one of texts and numbers, or of null, which has no text.
CREATE OR REPLACE MACRO is_scalar(kind) AS kind NOT IN ('OBJECT', 'ARRAY', 'BOOLEAN');

CREATE OR REPLACE MACRO is_integer(t) AS regexp_full_match(t, '-?\\d{{1,19}}(\\.0+)?');
CREATE OR REPLACE MACRO is_decimal(t) AS regexp_full_match(t, '-?\\d{{1,19}}(\\.\\d+)?');
CREATE OR REPLACE MACRO is_number(t) AS regexp_full_match(t, '-?\\d+(\\.\\d+)?([eE][+-]?\\d+)?');
CREATE OR REPLACE MACRO is_date(t) AS regexp_full_match(t, '\\d{{4}}-\\d{{2}}-\\d{{2}}') AND t NOT LIKE '0000%';
CREATE OR REPLACE MACRO is_time(t) AS t NOT LIKE '0000%' AND regexp_full_match(t,
    '\\d{{4}}-\\d{{2}}-\\d{{2}}'
    '([T ]\\d{{2}}:\\d{{2}}(:\\d{{2}}(\\.\\d{{1,9}})?)?\\s?(Z|UTC|[+-]\\d{{2}}(:?\\d{{2}})?)?)?');

-- Whether ISO 8601 text ends with an offset: behind the day, which has signs of its own.
CREATE OR REPLACE MACRO has_offset(t) AS regexp_matches(t, '^.{{11}}.*(Z|UTC|[+-])');

-- DuckDB reads no blank before an offset, and '10:00:00 -0700' is what Ruby writes.
CREATE OR REPLACE MACRO joined_offset(t) AS regexp_replace(t, '\\s([+-])', '\\1');

-- The moment at which the clocks of a zone show a time; the first of two where they are set back by so many minutes.
-- Where they are set forward, a time that they skip counts by the offset before (02:30 becomes 03:30).
-- Each call of timezone takes half a millisecond to plan, and again each time the query is run.
CREATE OR REPLACE MACRO local_moment(wall, zone, back) AS timezone(zone, wall) - to_minutes(
    CASE WHEN timezone(zone, timezone(zone, wall) - to_minutes(back)) = wall THEN back ELSE 0 END);

-- Only moments and days of the years 1 to 9999, which Python and every destination know.
CREATE OR REPLACE MACRO moment_in_calendar(moment) AS CASE WHEN moment BETWEEN
    TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00' THEN moment END;
CREATE OR REPLACE MACRO day_in_calendar(day) AS
    CASE WHEN day BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN day END;

-- The moment so many microseconds after the beginning of 1970, within the same years.
CREATE OR REPLACE MACRO moment_of_number(micros) AS timezone('UTC', make_timestamp(
    CASE WHEN micros BETWEEN -62135596800000000 AND 253402300799999999 THEN micros::BIGINT END));
"""
_DEFINED: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()


def define_macros(database: duckdb.DuckDBPyConnection) -> None:
    """Define the macros in an engine unless the connection has them: parsing them takes seven milliseconds.

    Args:
        database: A connection to an engine without a database of its own.
    """
    if database not in _DEFINED:
        database.execute(MACROS)
        _DEFINED.add(database)


def cursor_with_macros(engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a further connection to an engine, which has the macros, too."""
    define_macros(engine)
    cursor = engine.cursor()
    _DEFINED.add(cursor)
    return cursor
