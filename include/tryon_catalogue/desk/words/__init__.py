"""The texts of the pages, a module for each few pages: name -> (English, Chinese)."""
