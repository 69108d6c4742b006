# PANEL_DATABASE=FILE gunicorn --workers 1 --chdir test/bench/peers admin_site:application
# Django's admin on a copy of a panel's database: a list of accounts, 50 a page, with its search. It prints a session.
import json
import os
import shutil

panel = os.environ['PANEL_DATABASE']
database = panel + '-django'
shutil.copyfile(panel, database)

import django
from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY='only-for-a-measurement-on-loopback',
    ALLOWED_HOSTS=['127.0.0.1'],
    ROOT_URLCONF=__name__,
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': database, 'CONN_MAX_AGE': None}},
    DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    PASSWORD_HASHERS=['django.contrib.auth.hashers.MD5PasswordHasher'],
    INSTALLED_APPS=[
        'django.contrib.admin', 'django.contrib.auth', 'django.contrib.contenttypes',
        'django.contrib.sessions', 'django.contrib.messages',
    ],
    MIDDLEWARE=[
        'django.contrib.sessions.middleware.SessionMiddleware', 'django.middleware.common.CommonMiddleware',
        'django.middleware.csrf.CsrfViewMiddleware', 'django.contrib.auth.middleware.AuthenticationMiddleware',
        'django.contrib.messages.middleware.MessageMiddleware',
    ],
    TEMPLATES=[{
        'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True,
        'OPTIONS': {'context_processors': [
            'django.template.context_processors.request', 'django.contrib.auth.context_processors.auth',
            'django.contrib.messages.context_processors.messages',
        ]},
    }],
    STATIC_URL='/static/',
)
django.setup()

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.test import Client
from django.urls import path


class Account(models.Model):
    name = models.TextField()
    identifier = models.TextField(unique=True)
    kind = models.TextField(default='customer')
    search = models.TextField(default='')
    sort_key = models.TextField(default='')
    partner_id = models.IntegerField(null=True, blank=True)
    created_at = models.IntegerField(default=0)

    class Meta:
        # A model belongs to an app: to the admin’s own, since this file is none.
        app_label = 'admin'
        db_table = 'accounts'
        managed = False


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    list_display = ['name', 'identifier', 'kind', 'created_at']
    search_fields = ['name', 'identifier']
    ordering = ['-created_at', '-id']
    list_per_page = 50


urlpatterns = [path('admin/', admin.site.urls)]

with connection.cursor() as cursor:
    cursor.execute('PRAGMA journal_mode = WAL')
call_command('migrate', verbosity=0)
User.objects.create_superuser('bench', 'bench@bench.example', 'bench')
client = Client(HTTP_HOST='127.0.0.1')
client.login(username='bench', password='bench')
client.get('/admin/admin/account/add/')
print(json.dumps({
    'cookie': '; '.join(name + '=' + morsel.value for name, morsel in client.cookies.items()),
    'form': client.cookies['csrftoken'].value,
}), flush=True)
application = get_wsgi_application()
