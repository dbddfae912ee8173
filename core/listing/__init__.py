"""Lists of the portal, in one place: an app declares a `Listing` (columns, filters, sorts, verbs), `page` reads the
address and makes the rows. The address is the view: `?q= &<filter>= &org= &vdc= &sort= &cols= &after= &before=`.
"""
