"""rope: its index of the names that modules have."""

from rope.base.project import Project
from rope.contrib.autoimport.sqlite import AutoImport

if __name__ == "__main__":
    project = Project("src", ropefolder=None)
    index = AutoImport(project, memory=True)
    index.generate_modules_cache(["json", "email", "http", "logging", "unittest", "xml"])
    names = sorted(index.get_all_names())
    print(len(names), names[:8], sorted(index.search("JSONDecoder")))
    index.close()
    project.close()
