"""What people fill in."""

from django import forms


class SignInForm(forms.Form):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput({"autocomplete": "username"}))
    password = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
