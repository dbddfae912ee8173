"""The one row that names this installation; the application may not change it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("clusters", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO clusters_installation (id, singleton) VALUES (gen_random_uuid(), true)",
            "DELETE FROM clusters_installation",
        ),
    ]
