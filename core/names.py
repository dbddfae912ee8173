"""Names that become names in a cluster: RFC 1123 labels, checked the same way everywhere."""

from django.core.validators import RegexValidator

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"

dns_label = RegexValidator(
    DNS_LABEL,
    "Use 1 to 63 lower-case letters, digits and '-', starting and ending with a letter or digit (RFC 1123 label).",
    code="dns_label",
)
