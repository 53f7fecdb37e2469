using Ingot.Data.Preparation.Cleaning;
using Ingot.Training;

namespace Ingot.Data.Preparation;

/// <summary>What kind of file an input is.</summary>
public enum InputFormat
{
    /// <summary>By the name's ending; what has no known ending is text.</summary>
    Auto,

    /// <summary>Plain text.</summary>
    Text,

    /// <summary>A JSON object a line.</summary>
    Jsonl,

    /// <summary>Comma-separated values.</summary>
    Csv,

    /// <summary>Values between tabs, without quotes.</summary>
    Tsv,

    /// <summary>Apache Parquet.</summary>
    Parquet,
}

/// <summary>What a document of plain text is.</summary>
public enum TextUnit
{
    /// <summary>A file; one of more than 4 MiB is cut at empty lines into documents of about that size.</summary>
    File,

    /// <summary>What stands between empty lines.</summary>
    Paragraph,

    /// <summary>A line.</summary>
    Line,
}

/// <summary>What happens to a record without text.</summary>
public enum MissingText
{
    /// <summary>It is left out and counted.</summary>
    Skip,

    /// <summary>It is an error that names the record.</summary>
    Error,

    /// <summary>The field counts as empty.</summary>
    Empty,
}

/// <summary>What happens to a record that cannot be read.</summary>
public enum BadRecord
{
    /// <summary>It is an error that names the record.</summary>
    Error,

    /// <summary>It is left out and counted.</summary>
    Skip,
}

/// <summary>What is written.</summary>
public enum OutputFormat
{
    /// <summary>A JSON object a line: the text and the kept fields.</summary>
    Jsonl,

    /// <summary>The texts alone, an empty line after each.</summary>
    Text,
}

/// <summary>
/// Options of <see cref="DataPreparation"/>, and keys of its recipes. Paths are relative to the current directory.
/// </summary>
public sealed record PreparationOptions
{
    /// <summary>Files, folders (all files below them) and patterns such as "pages/**/*.jsonl.gz".</summary>
    public IReadOnlyList<string> Input { get; set; } = [];

    /// <summary>Folder for what is written; it must be empty, or hold the beginning of this same preparation, which then goes on.</summary>
    public string? Output { get; set; }

    /// <summary>What the input is.</summary>
    public InputFormat Format { get; set; } = InputFormat.Auto;

    /// <summary>Fields that make up the text, in this order; "a.b" is the field b of the object a. Without a header, columns are called
    /// column1, column2, …</summary>
    public IReadOnlyList<string> TextFields { get; set; } = ["text"];

    /// <summary>Fields that are kept beside the text.</summary>
    public IReadOnlyList<string> KeepFields { get; set; } = [];

    /// <summary>What stands between the texts of several fields.</summary>
    public string FieldSeparator { get; set; } = "\n\n";

    /// <summary>What stands between the texts of a field that is a list.</summary>
    public string ListSeparator { get; set; } = "\n";

    /// <summary>What becomes of a record that lacks a text field, or has null there.</summary>
    public MissingText Missing { get; set; } = MissingText.Skip;

    /// <summary>What becomes of a record that cannot be read.</summary>
    public BadRecord BadRecords { get; set; } = BadRecord.Error;

    /// <summary>What is a document in a file of plain text.</summary>
    public TextUnit TextDocuments { get; set; } = TextUnit.File;

    /// <summary>Whether the first row of CSV and TSV names the columns.</summary>
    public bool Header { get; set; } = true;

    /// <summary>The set of rules to begin with: text repairs and removes duplicates, web also applies the rules of Gopher and C4, none
    /// does nothing.</summary>
    public RuleSet RuleSet { get; set; } = RuleSet.Text;

    /// <summary>Changes of the set: name=off, name=on or name=limit. `ingot data rules` lists them.</summary>
    public IReadOnlyDictionary<string, string> Rules { get; set; } = new Dictionary<string, string>();

    /// <summary>Evaluation files, of any input format: documents that share an n-gram of words with them are left out.</summary>
    public IReadOnlyList<string> Decontaminate { get; set; } = [];

    /// <summary>Share of the documents that go to validation, chosen by the hash of their text.</summary>
    public double ValidationFraction { get; set; }

    /// <summary>Share of the documents that go to the test set, chosen by the hash of their text.</summary>
    public double TestFraction { get; set; }

    /// <summary>What is written.</summary>
    public OutputFormat OutputFormat { get; set; } = OutputFormat.Jsonl;

    /// <summary>Whether gzip packs what is written.</summary>
    public bool Gzip { get; set; }

    /// <summary>MiB of input records after which shards end; an interrupted preparation goes on from there.</summary>
    public int ShardSize { get; set; } = 256;

    /// <summary>Folder of a tokenizer to count tokens with.</summary>
    public string? Tokenizer { get; set; }

    /// <summary>How many examples of each rule the report shows.</summary>
    public int Examples { get; set; } = 5;

    /// <summary>Whether what is in the output folder is deleted first.</summary>
    public bool OverwriteOutput { get; set; }

    /// <summary>Threads that clean; 0 for one a core. The result does not depend on it.</summary>
    public int Threads { get; set; }

    /// <summary>GiB that the search for duplicates may take; 0 for three quarters of the memory there is.</summary>
    public double MaxMemory { get; set; }

    /// <summary>Checks all that can be checked without reading data.</summary>
    /// <returns>Every problem; empty when there is none.</returns>
    public IReadOnlyList<OptionProblem> Validate()
    {
        var problems = new List<OptionProblem>();
        Require("input", Input.Count > 0 && Input.All(path => path.Length > 0), "names nothing: name files, folders or patterns to read");
        Require("output", !string.IsNullOrWhiteSpace(Output), "is not set: name a folder to write to");
        Require("textFields", TextFields.Count > 0 && TextFields.All(field => field.Length > 0), "names no field: name at least one");
        Require("validationFraction", ValidationFraction is >= 0 and < 1,
            $"is {ValidationFraction}, but must be at least 0 and less than 1");
        Require("testFraction", TestFraction is >= 0 and < 1, $"is {TestFraction}, but must be at least 0 and less than 1");
        Require("testFraction", ValidationFraction + TestFraction < 1,
            $"is {TestFraction}, which with validationFraction {ValidationFraction} leaves nothing to train on");
        Require("shardSize", ShardSize is >= 1 and <= 1 << 20, $"is {ShardSize}, but must be 1 to {1 << 20} MiB");
        Require("examples", Examples is >= 0 and <= 1000, $"is {Examples}, but must be 0 to 1000");
        Require("threads", Threads is >= 0 and <= 1024, $"is {Threads}, but must be 0 (every core) to 1024");
        Require("maxMemory", MaxMemory >= 0, $"is {MaxMemory}, but must be a number of GiB above 0, or 0 for most of what there is");
        Require("keepFields", !(OutputFormat == OutputFormat.Text && KeepFields.Count > 0),
            "cannot be kept in plain text: leave out keepFields, or take outputFormat jsonl");
        Require("keepFields", !KeepFields.Contains("text"), "holds \"text\", the name under which the text itself is written");
        problems.AddRange(RuleTable.Check(Rules).Select(problem => new OptionProblem("rules", problem)));
        return problems;

        void Require(string key, bool holds, string problem)
        {
            if (!holds && problems.All(known => known.Key != key))
                problems.Add(new OptionProblem(key, problem));
        }
    }
}
