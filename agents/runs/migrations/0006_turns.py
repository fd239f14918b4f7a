from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0005_indexes")]
    operations = [
        migrations.AddField(
            model_name="session",
            name="turns",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
