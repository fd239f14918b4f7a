from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organisations", "0003_configuration")]
    operations = [
        migrations.AddField(model_name="team", name="archived_at", field=models.DateTimeField(blank=True, null=True)),
    ]
