from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tools", "0004_counted")]

    operations = [
        migrations.AddField(
            model_name="connector",
            name="token_header",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "No token"),
                    ("authorization", "Authorization: Bearer"),
                    ("remit-run-token", "Remit-Run-Token"),
                ],
                db_default="",
                default="",
                max_length=15,
            ),
        ),
        migrations.AddField(
            model_name="connector",
            name="audience",
            field=models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            model_name="connector",
            name="on_behalf_of",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
