"""The papers' tables and figures as studies: one file a study, found by listing this folder."""
