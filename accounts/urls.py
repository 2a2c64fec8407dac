"""Addresses of signing in. allauth looks up its own names, so the two pages that we always had have two.

Only these pages of allauth exist: no sign-up, no addresses of mail, no reset of passwords."""

from allauth.account.views import LogoutView
from allauth.mfa.recovery_codes import views as recovery_codes
from django.urls import path
from django.views.decorators.http import require_POST

from accounts import views

sign_in, sign_out = views.SignIn.as_view(), require_POST(LogoutView.as_view())
codes_file = recovery_codes.DownloadRecoveryCodesView.as_view(content_type="text/plain; charset=utf-8")
BASE = "accounts/second-factor/"

urlpatterns = [
    path("accounts/login/", sign_in, name="login"),
    path("accounts/login/", sign_in, name="account_login"),
    path("accounts/logout/", sign_out, name="logout"),
    path("accounts/logout/", sign_out, name="account_logout"),
    path("accounts/reauthenticate/", views.PasswordAgain.as_view(), name="account_reauthenticate"),
    path(BASE, views.Factors.as_view(), name="mfa_index"),
    path(f"{BASE}authenticate/", views.Authenticate.as_view(), name="mfa_authenticate"),
    path(f"{BASE}reauthenticate/", views.CodeAgain.as_view(), name="mfa_reauthenticate"),
    path(f"{BASE}app/", views.SetUpApp.as_view(), name="mfa_activate_totp"),
    path(f"{BASE}app/remove/", views.RemoveApp.as_view(), name="mfa_deactivate_totp"),
    path(f"{BASE}security-keys/add/", views.AddKey.as_view(), name="mfa_add_webauthn"),
    path(f"{BASE}security-keys/reauthenticate/", views.KeyAgain.as_view(), name="mfa_reauthenticate_webauthn"),
    path(f"{BASE}security-keys/<int:pk>/rename/", views.RenameKey.as_view(), name="mfa_edit_webauthn"),
    path(f"{BASE}security-keys/<int:pk>/remove/", views.RemoveKey.as_view(), name="mfa_remove_webauthn"),
    path(f"{BASE}recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(f"{BASE}recovery-codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path(f"{BASE}recovery-codes/file/", codes_file, name="mfa_download_recovery_codes"),
]
