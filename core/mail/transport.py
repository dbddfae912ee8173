"""One message to the server, or into the folder. What went wrong says whether another attempt can help."""

import logging
import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from core.mail.target import Target
from core.models import Mail

SECONDS = 15.0  # of each step with the server
log = logging.getLogger(__name__)


class Unsent(Exception):
    """It was not taken. `permanent`: this address or this message never will be."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


def send(target: Target, mail: Mail, text: str) -> None:
    """Deliver, or Unsent."""
    message = composed(target, mail, text)
    if target.folder is not None:
        _write(target.folder, mail, message)
    else:
        _deliver(target, mail.recipient, message)


def composed(target: Target, mail: Mail, text: str) -> EmailMessage:
    """The Message-ID is the row's: whoever gets it a second time, after a crash, can tell."""
    message = EmailMessage()
    message["From"] = target.sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(timezone.now())
    message["Message-ID"] = f"<{mail.pk}@{urlsplit(settings.OVIM_PUBLIC_URL).hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _write(folder: Path, mail: Mail, message: EmailMessage) -> None:
    path = folder / f"{mail.pk}.eml"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(bytes(message))
    except OSError as error:
        raise Unsent(f"{type(error).__name__}: {error}") from None
    log.warning("mail %s is not sent to anybody: OVIM_MAIL_URL is a folder, it was written to %s", mail.pk, path)


def _deliver(target: Target, recipient: str, message: EmailMessage) -> None:
    try:
        with _connected(target) as server:
            server.send_message(message, to_addrs=[recipient])
    except smtplib.SMTPRecipientsRefused as error:
        code, words = error.recipients[recipient]
        raise Unsent(f"{code} {_text(words)}", permanent=code >= 500) from None
    except smtplib.SMTPAuthenticationError as error:  # the operator's to mend, not the message's fault
        raise Unsent(f"{error.smtp_code} {_text(error.smtp_error)}") from None
    except smtplib.SMTPDataError as error:
        raise Unsent(f"{error.smtp_code} {_text(error.smtp_error)}", permanent=error.smtp_code >= 500) from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        raise Unsent(f"{type(error).__name__}: {error}") from None


def _connected(target: Target) -> smtplib.SMTP:
    if target.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(target.host, target.port, timeout=SECONDS, context=target.tls)
    else:
        server = smtplib.SMTP(target.host, target.port, timeout=SECONDS)
    try:
        if target.scheme == "smtp+tls":
            server.starttls(context=target.tls)
        if target.login is not None:
            server.login(*target.login)
    except (smtplib.SMTPException, ssl.SSLError, OSError):
        server.close()
        raise
    return server


def _text(words: object) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else str(words)
