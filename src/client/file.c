/*
 * file.c
 *		The files of a directory, and their texts.
 *
 * Whoever may write a directory may put anything into it, and another process
 * may change it meanwhile.  So nothing is opened that is not known to be a
 * regular file inside of it, and what was opened must be what was listed.
 */
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the server can take as one value. */
#define LARGEST_FILE ((off_t) 0x3fffffff)

typedef struct Folder
{
	dev_t device;
	ino_t inode;
	const char *path; /* as shown */
} Folder;

typedef struct Entry
{
	const char *name;
	bool regular; /* the folder says that it is a regular file */
} Entry;

typedef struct Walk
{
	Directory *directory;
	const char *root; /* the directory without symbolic links */
	int depth;
	PointerList folders; /* of Folder: those that were read */
} Walk;

static void folder_read(Walk *walk, const char *name, const char *real,
						int level);

static char *
path_join(const char *folder, const char *name)
{
	if (folder[0] == '\0')
		return memory_copy(name, strlen(name));
	return format("%s%s%s", folder, strcmp(folder, "/") == 0 ? "" : "/", name);
}

static int
compare_entries(const void *a, const void *b)
{
	return strcmp((*(Entry *const *) a)->name, (*(Entry *const *) b)->name);
}

static int
compare_files(const void *a, const void *b)
{
	return strcmp((*(SourceFile *const *) a)->name,
				  (*(SourceFile *const *) b)->name);
}

static bool
path_is_inside(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (strcmp(root, "/") == 0)
		return true;
	return strncmp(path, root, length) == 0 &&
		   (path[length] == '/' || path[length] == '\0');
}

/*
 * What a path leads to, with its status; NULL and a problem when that is not
 * inside of the directory.
 */
static const char *
path_resolve(Walk *walk, const char *shown, const char *real, struct stat *st)
{
	Directory *directory = walk->directory;
	char *target;

	if (lstat(real, st) != 0)
	{
		problem_add(directory, shown, 0, 0, NULL, NULL, "cannot be read: %s",
					strerror(errno));
		return NULL;
	}
	if (!S_ISLNK(st->st_mode))
		return real;
	target = realpath(real, NULL);
	if (target == NULL || lstat(target, st) != 0)
	{
		problem_add(directory, shown, 0, 0, NULL, NULL,
					"symbolic link cannot be followed: %s", strerror(errno));
		return NULL;
	}
	if (!path_is_inside(target, walk->root))
	{
		problem_add(directory, shown, 0, 0, NULL,
					"Put the file itself into the directory.",
					"symbolic link leads out of the directory, to %s",
					utf8_shown(target));
		return NULL;
	}
	return target;
}

static const char *
kind_of_file(mode_t mode)
{
	if (S_ISFIFO(mode))
		return "a named pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return "a device";
	return "no regular file";
}

/* A regular file; st NULL: it is opened by its name in the top folder. */
static void
file_add(Directory *directory, const char *name, const char *shown,
		 const char *real, const struct stat *st)
{
	SourceFile *file;

	if (utf8_valid(name, strlen(name)) < strlen(name))
	{
		problem_add(directory, shown, 0, 0, NULL, "Rename it.",
					"the name is not valid UTF-8");
		return;
	}
	file = memory_new(sizeof(SourceFile));
	file->name = name;
	file->path = shown;
	if (st != NULL)
	{
		file->real = real;
		file->device = st->st_dev;
		file->inode = st->st_ino;
	}
	list_add(&directory->files, file);
}

static void
entry_add(Walk *walk, const char *name, const char *real_folder,
		  const Entry *entry, int level)
{
	Directory *directory = walk->directory;
	char *shown = utf8_shown(path_join(directory->path, name));
	struct stat st;
	const char *real;

	/* most files of most directories: nothing more needs to be asked */
	if (level == 0 && entry->regular)
	{
		file_add(directory, name, shown, NULL, NULL);
		return;
	}
	real = path_resolve(walk, shown, path_join(real_folder, entry->name), &st);
	if (real == NULL)
		return;
	if (S_ISDIR(st.st_mode))
		folder_read(walk, name, real, level + 1);
	else if (S_ISREG(st.st_mode))
		file_add(directory, name, shown, real, &st);
	else
		problem_add(directory, shown, 0, 0, NULL,
					"Only regular files and folders may be here.",
					"is %s and is not opened", kind_of_file(st.st_mode));
}

/* Each folder once: a link must not lead in circles. */
static bool
folder_is_new(Walk *walk, const char *shown, int fd)
{
	struct stat st;
	Folder *folder;

	if (fstat(fd, &st) != 0)
	{
		problem_add(walk->directory, shown, 0, 0, NULL, NULL,
					"folder cannot be read: %s", strerror(errno));
		return false;
	}
	for (int i = 0; i < walk->folders.count; i++)
	{
		folder = walk->folders.items[i];
		if (folder->device == st.st_dev && folder->inode == st.st_ino)
		{
			problem_add(walk->directory, shown, 0, 0, NULL,
						"Remove the symbolic link.",
						"is the same folder as %s", folder->path);
			return false;
		}
	}
	folder = memory_new(sizeof(Folder));
	folder->device = st.st_dev;
	folder->inode = st.st_ino;
	folder->path = shown;
	list_add(&walk->folders, folder);
	return true;
}

/* What is in a folder, by the bytes of its names; false with errno. */
static bool
folder_entries(DIR *dir, PointerList *entries)
{
	const struct dirent *found;
	Entry *entry;

	for (;;)
	{
		errno = 0;
		found = readdir(dir);
		if (found == NULL)
			break;
		if (found->d_name[0] == '.')
			continue;
		entry = memory_new(sizeof(Entry));
		entry->name = memory_copy(found->d_name, strlen(found->d_name));
		entry->regular = found->d_type == DT_REG;
		list_add(entries, entry);
	}
	if (errno != 0)
		return false;
	if (entries->count > 0)
		qsort(entries->items, (size_t) entries->count, sizeof(void *),
			  compare_entries);
	return true;
}

static void
folder_read(Walk *walk, const char *name, const char *real, int level)
{
	Directory *directory = walk->directory;
	char *shown = name[0] == '\0'
					  ? memory_copy(directory->path, strlen(directory->path))
					  : utf8_shown(path_join(directory->path, name));
	PointerList entries = {0};
	DIR *dir = NULL;
	int fd;

	if (level > walk->depth)
	{
		problem_add(directory, shown, 0, 0, NULL, NULL,
					"folders are nested more than %d deep", walk->depth);
		return;
	}
	fd = open(real, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !folder_is_new(walk, shown, fd))
	{
		close(fd);
		return;
	}
	if (fd >= 0 && level == 0)
		directory->folder = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (dir == NULL || !folder_entries(dir, &entries))
		problem_add(directory, shown, 0, 0, NULL, NULL,
					"folder cannot be read: %s", strerror(errno));
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	for (int i = 0; i < entries.count; i++)
	{
		const Entry *entry = entries.items[i];

		entry_add(walk, path_join(name, entry->name), real, entry, level);
	}
}

void
files_list(Directory *directory, int depth)
{
	Walk walk = {.directory = directory, .depth = depth};

	directory->folder = -1;
	walk.root = realpath(directory->path, NULL);
	if (walk.root == NULL)
	{
		problem_add(directory, directory->path, 0, 0, NULL, NULL,
					"directory cannot be read: %s", strerror(errno));
		return;
	}
	folder_read(&walk, "", walk.root, 0);
	if (directory->files.count > 0)
		qsort(directory->files.items, (size_t) directory->files.count,
			  sizeof(void *), compare_files);
}

SourceFile *
file_find(const Directory *directory, const char *name)
{
	SourceFile key = {.name = name};
	const SourceFile *wanted = &key;
	SourceFile **found;

	if (directory->files.count == 0)
		return NULL;
	found = bsearch(&wanted, directory->files.items,
					(size_t) directory->files.count, sizeof(void *),
					compare_files);
	return found != NULL ? *found : NULL;
}

/* Read all of an open file; an error as text, or NULL. */
static const char *
read_all(int fd, const SourceFile *listed, char **text, size_t *length)
{
	struct stat st;
	size_t size;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) ||
		(listed->real != NULL &&
		 (st.st_dev != listed->device || st.st_ino != listed->inode)))
		return "it was replaced meanwhile";
	if (st.st_size > LARGEST_FILE)
		return "it is larger than 1 GB";
	size = (size_t) st.st_size;
	*text = memory_grow(NULL, size + 1);
	*length = 0;
	/* one byte more than there should be: the last read() finds the end */
	while (*length <= size)
	{
		size_t wanted = size + 1 - *length;
		ssize_t got = read(fd, *text + *length, wanted);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return strerror(errno);
		*length += (size_t) got;
		/* less than was asked for: that is the end of a regular file */
		if ((size_t) got < wanted)
			break;
	}
	if (*length != size)
		return "it was changed meanwhile";
	(*text)[size] = '\0';
	return NULL;
}

/* Another encoding that a byte order mark gives away, or NULL. */
static const char *
marked_encoding(const char *text, size_t length)
{
	/* UTF-32 first: its little-endian mark begins as that of UTF-16 */
	if (length >= 4 && (memcmp(text, "\377\376\0\0", 4) == 0 ||
						memcmp(text, "\0\0\376\377", 4) == 0))
		return "UTF-32";
	if (length >= 2 &&
		(memcmp(text, "\377\376", 2) == 0 || memcmp(text, "\376\377", 2) == 0))
		return "UTF-16";
	return NULL;
}

/* A problem if a text is not UTF-8 without NULs. */
static bool
text_is_fine(Directory *directory, const char *path, const char *text,
			 size_t length)
{
	const char *encoding = marked_encoding(text, length);
	const char *nul = memchr(text, '\0', length);
	size_t bad =
		utf8_valid(text, nul != NULL ? (size_t) (nul - text) : length);
	int line = 1;
	int column;
	const char *start = text;
	const char *end = text + bad;
	const char *newline;

	if (encoding != NULL)
	{
		problem_add(directory, path, 0, 0, NULL, "Save it as UTF-8.",
					"is %s, not UTF-8", encoding);
		return false;
	}
	if (bad == length)
		return true;
	while ((newline = memchr(start, '\n', (size_t) (end - start))) != NULL)
	{
		start = newline + 1;
		line++;
	}
	column = utf8_characters(start, (size_t) (end - start)) + 1;
	if (end == nul)
		problem_add(directory, path, line, column, NULL, NULL,
					"holds a zero byte");
	else
		problem_add(directory, path, line, column, NULL, "Save it as UTF-8.",
					"is not valid UTF-8: byte 0x%02x", (unsigned char) *end);
	return false;
}

bool
file_read(Directory *directory, SourceFile *file)
{
	const char *error;
	int fd;

	if (file->text != NULL || file->unusable)
		return !file->unusable;
	/* nothing has begun that would have to be ended */
	if (interrupt_count() > 0)
		_exit(STATUS_CANCELLED);
	file->unusable = true;
	/* by its name in the open folder, or by a path without symbolic links */
	fd = openat(directory->folder, file->real ? file->real : file->name,
				O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		error = strerror(errno);
	else
	{
		error = read_all(fd, file, &file->text, &file->length);
		close(fd);
	}
	if (error != NULL)
		problem_add(directory, file->path, 0, 0, NULL, NULL,
					"cannot be read: %s", error);
	else if (text_is_fine(directory, file->path, file->text, file->length))
		file->unusable = false;
	return !file->unusable;
}

Script *
file_script(const SourceFile *file)
{
	Script *script = memory_new(sizeof(Script));

	script->path = file->path;
	script->text = file->text;
	script->length = file->length;
	script->spans = memory_new(sizeof(Span));
	script->spans[0].script_line = 1;
	script->spans[0].file_line = 1;
	script->span_count = 1;
	return script;
}
