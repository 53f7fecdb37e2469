using System.IO.Compression;
using System.Text;
using Ingot.Data;
using Ingot.Data.Preparation;
using Ingot.Data.Preparation.Readers;
using NUnit.Framework;
using Parquet;
using Parquet.Schema;

namespace Ingot.Tests.Data.Preparation;

public class ReaderTests : FolderTests
{
    [Test]
    public void TextIsAFileAParagraphOrALine()
    {
        var file = Write("a.txt", "\ufeffone\r\ntwo\n\n \n\nthree\n");
        Assert.That(Texts(file, new() { TextDocuments = TextUnit.File }), Is.EqualTo(new[] { "one\ntwo\n\n \n\nthree\n" }));
        Assert.That(Texts(file, new() { TextDocuments = TextUnit.Paragraph }), Is.EqualTo(new[] { "one\ntwo\n", "three\n" }));
        Assert.That(Texts(file, new() { TextDocuments = TextUnit.Line }), Is.EqualTo(new[] { "one\n", "two\n", "three\n" }));
        Assert.That(Places(file, new() { TextDocuments = TextUnit.Paragraph }), Is.EqualTo(new[] { file + ":1", file + ":6" }));
    }

    [Test]
    public void LongTextIsCutAtEmptyLines()
    {
        var paragraph = string.Concat(Enumerable.Repeat("A line of text.\n", 10_000));
        var file = Write("a.txt", string.Join('\n', Enumerable.Repeat(paragraph, 60)));
        var texts = Texts(file, new());
        Assert.That(texts, Has.Count.InRange(2, 3));
        Assert.That(string.Concat(texts).Replace("\n\n", "\n"), Is.EqualTo(string.Concat(Enumerable.Repeat(paragraph, 60))));
    }

    [Test]
    public void EncodingsAreRecognised()
    {
        const string Text = "Grüße, “señor” — naïve.\nÜber alles.\n";
        Assert.That(Texts(Write("utf16le", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Text)]), new())[0], Is.EqualTo(Text));
        Assert.That(Texts(Write("utf16be", [0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes(Text)]), new())[0], Is.EqualTo(Text));
        Assert.That(Texts(Write("nomark", Encoding.Unicode.GetBytes(Text)), new())[0], Is.EqualTo(Text));
        Assert.That(Texts(Write("latin1", Encoding.Latin1.GetBytes("Grüße, señor.\n")), new())[0], Is.EqualTo("Grüße, señor.\n"));
        Assert.That(Texts(Write("1252", [0x93, (byte)'a', 0x94, 0x80]), new())[0].TrimEnd(), Is.EqualTo("“a”€"));
        byte[] damaged = [.. "Grüße überall, ja"u8, 0xE2, 0x80, .. " ."u8];
        Assert.That(Texts(Write("damaged", damaged), new())[0].TrimEnd(), Is.EqualTo("Grüße überall, ja\ufffd ."));
        Assert.That(
            () => Texts(Write("latin1.txt", Encoding.Latin1.GetBytes("Grüße")), new(), repair: false),
            Throws.TypeOf<BadRecordException>().With.Message.Contains("not UTF-8"));
    }

    [Test]
    public void JsonLinesGiveFieldsByName()
    {
        var file = Write("a.jsonl", """
            {"title": "T", "body": ["one", "two", null], "meta": {"id": 7, "by": "x"}, "n": 1.5}

            {"title": null, "body": "b"}
            {"body": "é\u00e9\n", "meta": {"id": [1, {"a": 2}]}}
            """);
        PreparationOptions options = new() { TextFields = ["title", "body"], KeepFields = ["meta.id", "n"], Missing = MissingText.Empty };
        var documents = Read(file, options);
        Assert.That(documents.Select(document => document.Text), Is.EqualTo(new[] { "T\n\none\ntwo", "b", "éé\n" }));
        Assert.That(documents[0].Kept.Select(kept => (kept.Name, Encoding.UTF8.GetString(kept.Json))), Is.EqualTo(new[] { ("meta.id", "7"), ("n", "1.5") }));
        Assert.That(Encoding.UTF8.GetString(documents[2].Kept[0].Json), Is.EqualTo("""[1, {"a": 2}]"""));
        options.Missing = MissingText.Skip;
        Assert.That(Read(file, options).Select(document => document.IsMissing), Is.EqualTo(new[] { false, true, true }));
        options.Missing = MissingText.Error;
        options.TextFields = ["titel"];
        Assert.That(() => Read(file, options), Throws.TypeOf<BadRecordException>().With.Message.Contains("did you mean \"title\"?"));
    }

    [TestCase("{\"text\": \"a\"", "not JSON")]
    [TestCase("[1]", "jq")]
    [TestCase("{\"text\": {\"a\": 1}}", "text.NAME")]
    [TestCase("{\"text\": \"\\ud800\"}", "surrogate")]
    public void BadJsonIsNamed(string line, string named) =>
        Assert.That(() => Read(Write("a.jsonl", line), new()), Throws.TypeOf<BadRecordException>().With.Message.Contains(named));

    [Test]
    public void DeepJsonIsAnErrorAndNoCrash() => Assert.That(
        () => Read(Write("a.jsonl", new string('[', 1_000_000)), new()),
        Throws.TypeOf<BadRecordException>().With.Message.Contains("not JSON"));

    [Test]
    public void CsvGivesColumnsByName()
    {
        var file = Write("a.csv", "id,text,more\r\n1,\"a, \"\"b\"\"\nc\",x\r\n2,,y\r\n\r\n3,é,\r\n");
        var documents = Read(file, new() { KeepFields = ["id"] });
        Assert.That(documents.Select(document => document.Text), Is.EqualTo(new[] { "a, \"b\"\nc", "", "é" }));
        Assert.That(documents[1].IsMissing);
        Assert.That(Encoding.UTF8.GetString(documents[2].Kept[0].Json), Is.EqualTo("\"3\""));
        Assert.That(Places(file, new()), Is.EqualTo(new[] { $"{file}:2", $"{file}:4", $"{file}:6" }));
        Assert.That(Texts(Write("b.tsv", "a \"b\tc\nd\te\n"), new() { Header = false, TextFields = ["column2", "column1"] }),
            Is.EqualTo(new[] { "c\n\na \"b", "e\n\nd" }));
        Assert.That(Texts(Write("latin1.csv", Encoding.Latin1.GetBytes("text\nGrüße\n")), new()), Is.EqualTo(new[] { "Grüße" }));
    }

    [Test]
    public void BadCsvIsNamed()
    {
        Assert.That(() => Read(Write("a.csv", "text,b\n1,2\n1,2,3\n"), new()),
            Throws.TypeOf<BadRecordException>().With.Message.Contains("3 columns").And.Message.Contains("2"));
        Assert.That(() => Read(Write("b.csv", "txet,b\n1,2\n"), new()),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("b.csv").And.Message.Contains("did you mean \"txet\"?"));
        Assert.That(() => Read(Write("c.csv", "1,2\n"), new() { Header = false }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("column1"));
        Assert.That(() => Read(Write("d.csv", "1,2\n"), new() { Header = false, TextFields = ["column3"] }),
            Throws.TypeOf<BadRecordException>().With.Message.Contains("column3"));
    }

    [Test]
    public async Task ParquetGivesColumnsByName()
    {
        var file = In("a.parquet");
        await WriteParquet(file, rows: 1000, groups: 3);
        var documents = Read(file, new() { KeepFields = ["id", "score"] });
        Assert.That(documents, Has.Count.EqualTo(3000));
        Assert.That(documents[0].IsMissing, "null");
        Assert.That(documents[2999].Text, Is.EqualTo("text 2999 é"));
        Assert.That(documents[2999].Kept.Select(kept => Encoding.UTF8.GetString(kept.Json)), Is.EqualTo(new[] { "\"2999\"", "\"1499.5\"" }));
        Assert.That(Places(file, new())[2999], Is.EqualTo($"{file}, row 3000"));
        Assert.That(() => Read(file, new() { TextFields = ["texts"] }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("did you mean \"text\"?"));

        var whole = await File.ReadAllBytesAsync(file);
        foreach (var length in new[] { 3, 100, whole.Length / 2, whole.Length - 1 })
        {
            var cut = Write("cut.parquet", whole[..length]);
            Assert.That(() => Read(cut, new()), Throws.TypeOf<InvalidDataException>().With.Message.Contains(cut), $"{length} bytes");
        }

        // Damage anywhere may go unnoticed, but never as anything else than an error about this file.
        var random = new Random(2);
        for (var i = 0; i < 100; i++)
        {
            var damaged = (byte[])whole.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            var path = Write("damaged.parquet", damaged);
            try
            {
                Read(path, new());
            }
            catch (InvalidDataException e)
            {
                Assert.That(e.Message, Does.Contain(path));
            }
        }
    }

    [Test]
    public void GzipOfSeveralMembersIsReadAndChecked()
    {
        var random = new Random(8);
        var text = new StringBuilder();
        var packed = new MemoryStream();
        for (var member = 0; member < 20; member++)
        {
            var part = string.Concat(Enumerable.Range(0, random.Next(member == 3 ? 1 : 5000)).Select(_ => (char)random.Next('a', 'z'))) + "\n";
            text.Append(part);
            using var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true);
            gzip.Write(Encoding.UTF8.GetBytes(part));
        }

        var whole = packed.ToArray();
        Assert.That(Texts(Write("a.txt.gz", whole), new())[0], Is.EqualTo(text.ToString()));
        Assert.That(Texts(Write("zeros.gz", [.. whole, 0, 0, 0]), new())[0], Is.EqualTo(text.ToString()), "filled up with zeros");
        foreach (var length in new[] { 5, 11, whole.Length / 2, whole.Length - 8, whole.Length - 1 })
        {
            var cut = Write("cut.txt.gz", whole[..length]);
            Assert.That(() => Texts(cut, new()), Throws.TypeOf<InvalidDataException>().With.Message.Contains(cut), $"{length} of {whole.Length}");
        }

        for (var i = 0; i < 200; i++)
        {
            var damaged = (byte[])whole.Clone();
            var place = random.Next(10, damaged.Length);
            damaged[place] ^= (byte)(1 << random.Next(8));
            try
            {
                // A flag or a time in a header may differ; the text may not.
                Assert.That(Texts(Write("damaged.gz", damaged), new())[0], Is.EqualTo(text.ToString()));
            }
            catch (InvalidDataException e)
            {
                Assert.That(e.Message, Does.Contain("damaged.gz"));
            }
        }
    }

    [Test]
    public void AGzipBombIsAnError()
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var block = new byte[1 << 20];
            Array.Fill(block, (byte)'\n');
            for (var i = 0; i < 100; i++)
                gzip.Write(block);
        }

        packed.Position = 0;
        using var input = new GzipInput(packed, "bomb.gz");
        Assert.That(() => input.CopyTo(Stream.Null), Throws.TypeOf<InvalidDataException>().With.Message.Contains("bomb.gz").And.Message.Contains("bomb?"));
    }

    [Test]
    public void ALineWithoutAnEndIsAnError()
    {
        var endless = new byte[70 << 20];
        Array.Fill(endless, (byte)'x');
        Assert.That(() => Read(Write("a.jsonl", endless), new()), Throws.TypeOf<InvalidDataException>().With.Message.Contains("a.jsonl:1"));
        endless[0] = (byte)'"';
        Assert.That(() => Read(Write("a.csv", [.. "text\n"u8, .. endless]), new()),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("a.csv").And.Message.Contains("quote"));
    }

    [Test]
    public void FilesFoldersAndPatternsAreFound()
    {
        foreach (var name in new[] { "b.txt", "a.jsonl", "sub/c.csv", "sub/deep/d.jsonl.gz", ".hidden/x.txt", "sub/.y.txt" })
            Write("in/" + name, "x");
        Write("in/empty.txt", "");
        Assert.That(Names(In("in")), Is.EqualTo(new[] { "a.jsonl", "b.txt", "sub/c.csv", "sub/deep/d.jsonl.gz" }));
        Assert.That(Names(In("in/**/*.jsonl*")), Is.EqualTo(new[] { "a.jsonl", "sub/deep/d.jsonl.gz" }));
        Assert.That(Names(In("in/b.txt"), In("in/*.txt"), In("in")), Is.EqualTo(new[] { "b.txt", "a.jsonl", "sub/c.csv", "sub/deep/d.jsonl.gz" }), "each once");
        Assert.That(InputFiles.Find([In("in")], InputFormat.Auto).Select(file => file.Format),
            Is.EqualTo(new[] { InputFormat.Jsonl, InputFormat.Text, InputFormat.Csv, InputFormat.Jsonl }));
        foreach (var absent in new[] { In("absent"), In("in/*.parquet"), In("absent/*.txt") })
            Assert.That(() => Names(absent), Throws.TypeOf<FileNotFoundException>().With.Message.Contains(absent));
        Directory.CreateDirectory(In("nothing"));
        Assert.That(() => Names(In("nothing")), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("no files"));
    }

    [Test]
    public void BinaryFilesAreNamed() => Assert.That(
        () => Texts(Write("image.png", [0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 13]), new()),
        Throws.TypeOf<InvalidDataException>().With.Message.Contains("image.png").And.Message.Contains("binary"));

    private static async Task WriteParquet(string path, int rows, int groups)
    {
        var schema = new ParquetSchema(new DataField<long>("id"), new DataField<string>("text"), new DataField<double?>("score"));
        using var stream = File.Create(path);
        await using var writer = await ParquetWriter.CreateAsync(schema, stream);
        for (var group = 0; group < groups; group++)
        {
            using var rowGroup = writer.CreateRowGroup();
            var numbers = Enumerable.Range(group * rows, rows).ToArray();
            await rowGroup.WriteAsync<long>(schema.DataFields[0], numbers.Select(i => (long)i).ToArray());
            await rowGroup.WriteAsync(schema.DataFields[1], numbers.Select(i => i == 0 ? null! : $"text {i} é").ToArray());
            await rowGroup.WriteAsync<double>(schema.DataFields[2], numbers.Select(i => (double?)i / 2).ToArray());
        }
    }

    private string[] Names(params string[] inputs) =>
        [.. InputFiles.Find(inputs, InputFormat.Auto).Select(file => Path.GetRelativePath(In("in"), file.Path))];

    private static List<Document> Read(string path, PreparationOptions options, bool repair = true)
    {
        using var reader = RecordReader.Open(InputFiles.Find([path], options.Format)[0], options);
        var documents = new List<Document>();
        while (reader.Read(out var record))
        {
            var document = reader.Parse(record, RecordFields.Of(options, repair));
            document.Place = reader.Describe(record.Place);
            documents.Add(document);
        }

        return documents;
    }

    private static List<string> Texts(string path, PreparationOptions options, bool repair = true) =>
        Read(path, options, repair).ConvertAll(document => document.Text);

    private static List<string> Places(string path, PreparationOptions options) =>
        Read(path, options).ConvertAll(document => document.Place);
}
