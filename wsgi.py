"""The WSGI application, configured by the environment: `gunicorn wsgi:app`."""

from feedproxy.web import create_app

app = create_app()
