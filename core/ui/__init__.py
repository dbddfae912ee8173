"""Words, amounts and marks of the screens, said once: templates have them as tags, lists as cells."""
