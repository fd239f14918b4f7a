from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_who_may")]
    operations = [
        migrations.AddIndex(model_name="agent", index=models.Index(fields=["team", "id"], name="agent_by_team")),
    ]
