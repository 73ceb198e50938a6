"""Who answers questions: rules for simple ones, or a language model, and the conversations they are asked in."""
