from django.db import migrations


# A run's row changes with every commit: with room on its page, no index has to follow.
class Migration(migrations.Migration):
    dependencies = [("runs", "0007_callback_door")]
    operations = [
        migrations.RunSQL("ALTER TABLE runs_run SET (fillfactor = 70)", "ALTER TABLE runs_run RESET (fillfactor)")
    ]
