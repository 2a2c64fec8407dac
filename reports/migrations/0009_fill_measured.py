from django.db import migrations, models, transaction

# What is counted already gets its bits and microseconds, number by number: reads no call, and pages go on meanwhile.
# Interrupted, it goes on where it was. The roll-ups of an older version cannot write from 0008_measured on.
LOCK = 0x726F6C6C  # as reports.rollups
BITS = {"call_start": 1, "block_end": 2, "initiate_forward": 4, "forward_answer": 8, "call_end": 16}
ARRIVALS = f"""
SELECT {
    ", ".join(
        f"CASE number.{name} WHEN 'on' THEN '-infinity' WHEN 'off' THEN 'infinity' ELSE coalesce("
        f"min(first.quarter_hour) FILTER (WHERE first.request_type = '{name.upper()}'), 'infinity') END AS {name}_from"
        for name in BITS
    )
}
FROM calls_destinationnumber AS number LEFT JOIN reports_firstpost AS first ON first.destination_number_id = number.id
WHERE number.id = %(number)s GROUP BY number.id"""
MEASURED = " + ".join(f"({name}_from <= quarter_hour)::int * {bit}" for name, bit in BITS.items())
MICROSECONDS = "{0}_us = (counts.{0}_s * 1000000)::bigint"

TIMES = {"counts": ("time_to_answer", "ring", "talk"), "forwardcounts": ("ring",)}
SUMS = {
    "counts": (
        *("offered", "answered", "served_in_plan", "missed", "abandoned", "short", "in_progress", "end_unknown"),
        *("answered_after_start", "answered_in_time", "time_to_answer_s", "ring_s", "ring_calls", "talk_s"),
        *("talk_calls", "time_to_answer_us", "ring_us", "talk_us"),
    ),
    "blockcounts": ("blocks", "calls", "last_in_call", "lost"),
    "forwardcounts": ("attempts", "calls", "answers", "ring_s", "ring_calls", "ring_us"),
    "handovers": ("calls",),
}
PARTS = {
    "counts": (),
    "blockcounts": ("block_type",),
    "forwardcounts": ("destination", "destination_type", "course"),
    "handovers": ("first_destination", "first_type", "destination", "destination_type"),
}
LOCAL = "quarter_hour AT TIME ZONE (SELECT time_zone FROM reports_rollup)"
DAY = {"day": f"({LOCAL})::date"}
MONTH = {"month": "date_trunc('month', day)::date"}
HOUR = {
    "month": f"date_trunc('month', {LOCAL})::date",
    "weekday": f"extract(isodow FROM {LOCAL})::int",
    "hour": f"extract(hour FROM {LOCAL})::int",
}


def add_up(cursor, number, fine, coarse, *, times, sums, parts=()):
    """Replace the coarse counts of a number by the sums of its fine ones."""
    keys = ("destination_number_id", *times, "is_open", "measured", *parts)
    grouped = ", ".join(times.get(key, key) for key in keys)
    cursor.execute(f"DELETE FROM {coarse} WHERE destination_number_id = %s", [number])
    cursor.execute(
        f"INSERT INTO {coarse} ({', '.join((*keys, *sums))}) "
        f"SELECT {grouped}, {', '.join(f'sum({name})' for name in sums)} FROM {fine} "
        f"WHERE destination_number_id = %s GROUP BY {grouped}",
        [number],
    )


def fill(cursor, number):
    for table in SUMS:
        filled = ", ".join([f"measured = {MEASURED}", *(MICROSECONDS.format(time) for time in TIMES.get(table, ()))])
        cursor.execute(
            f"UPDATE reports_quarterhour{table} AS counts SET {filled} FROM ({ARRIVALS}) AS arrival "
            "WHERE destination_number_id = %(number)s AND measured IS NULL",
            {"number": number},
        )
    for table, sums in SUMS.items():
        fine, day, month = (f"reports_{grain}{table}" for grain in ("quarterhour", "day", "month"))
        add_up(cursor, number, fine, day, times=DAY, sums=sums, parts=PARTS[table])
        add_up(cursor, number, day, month, times=MONTH, sums=sums, parts=PARTS[table])
    sums = ("offered", "answered", "missed", "abandoned")
    add_up(cursor, number, "reports_quarterhourcounts", "reports_hourofweekcounts", times=HOUR, sums=sums)


def fill_all(apps, schema_editor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM calls_destinationnumber ORDER BY id")
        numbers = [number for (number,) in cursor.fetchall()]
    for number in numbers:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            cursor.execute(
                "SELECT EXISTS (SELECT FROM reports_quarterhourcounts WHERE destination_number_id = %(number)s "
                "AND measured IS NULL) OR EXISTS (SELECT FROM reports_daycounts "
                "WHERE destination_number_id = %(number)s AND measured IS NULL)",
                {"number": number},
            )
            if cursor.fetchone()[0]:
                fill(cursor, number)


NOT_NULL = models.PositiveSmallIntegerField(
    "measured", default=0, help_text="Sum of the posts that arrived: started 1, block 2, forward 4, answer 8, end 16"
)


class Migration(migrations.Migration):
    # A transaction a number, so that roll-ups and pages never wait for all of them.
    atomic = False

    dependencies = [("reports", "0008_measured")]
    operations = [
        migrations.RunPython(fill_all, migrations.RunPython.noop),
        *(
            migrations.AlterField(f"{grain}{table}", "measured", NOT_NULL)
            for grain in ("quarterhour", "day", "month")
            for table in SUMS
        ),
        migrations.AlterField("hourofweekcounts", "measured", NOT_NULL),
    ]
