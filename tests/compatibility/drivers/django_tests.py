"""Django's test runner with --parallel, in the start method it knows on every platform."""

import multiprocessing
import sys
from pathlib import Path

import django
from django.conf import settings

TEST = """
from django.template import Context, Template
from django.test import SimpleTestCase

class Test{number}(SimpleTestCase):
    def test_template(self):
        rows = [{{"name": f"row {{n}}", "value": n}} for n in range(2000)]
        text = "{{% for r in rows %}}{{{{ r.name|upper }}}} {{{{ r.value|add:{number} }}}} {{% endfor %}}"
        self.assertIn("ROW 7", Template(text).render(Context({{"rows": rows}})))

    def test_escape(self):
        self.assertEqual(Template("{{{{ x }}}}").render(Context({{"x": "<{number}>"}})), "&lt;{number}&gt;")
"""

OPTIONS = {
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    "INSTALLED_APPS": [],
}
if not settings.configured:
    settings.configure(**OPTIONS)
    django.setup()

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    suite = Path("suite")
    suite.mkdir()
    (suite / "__init__.py").touch()
    for number in range(10):
        (suite / f"test_{number}.py").write_text(TEST.format(number=number))

    from django.test.runner import DiscoverRunner

    failures = DiscoverRunner(parallel=2, verbosity=1).run_tests(["suite"])
    print("failures", failures)
    sys.exit(bool(failures))
