from django.db import migrations

# Each row of these is written again right after it was made: with its uid, under its lease. Where the page has room for
# that, no index has to be written (a heap-only update); without it each of five has.
TABLES = ("clusters_inventoryitem", "clusters_workitem")


class Migration(migrations.Migration):
    dependencies = [("clusters", "0007_orphans")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET (fillfactor = 50)",
            f"ALTER TABLE {table} RESET (fillfactor)",
        )
        for table in TABLES
    ]
