using NUnit.Framework;

namespace Ingot.Tests.CommandLine;

public sealed class TokenizerCommandTests : FolderTests
{
    [Test]
    public void Gpt2CountsTinyshakespeareAsNanoGptDoes()
    {
        string folder = Path.GetDirectoryName(TestData.PathOf("gpt2/vocab.json"))!;
        string text = File.ReadAllText(TestData.PathOf("tinyshakespeare.txt"));
        Write("train.txt", text[..1_003_854]);
        Write("validation.txt", text[1_003_854..]);

        Assert.That(Run($"tokenizer encode --tokenizer {folder} --input {In("train.txt")} --count").Trim(), Is.EqualTo("301966"));
        Assert.That(Run($"tokenizer encode --tokenizer {folder} --input {In("validation.txt")} --count").Trim(), Is.EqualTo("36059"));
    }

    [Test]
    public void ATrainedVocabularyEncodesAndDecodes()
    {
        Write("text.txt", string.Concat(Enumerable.Repeat("the quick brown fox ", 50)));
        Assert.That(Run($"tokenizer train --input {In("text.txt")} --vocabSize 270 --output {In("bpe")}"), Does.Contain("270 tokens"));
        Assert.That(
            Run($"tokenizer show --tokenizer {In("bpe")}"), Does.Contain("eos_token       <|endoftext|> (0)").And.Contain("BPE, 270 tokens"));

        string ids = Run($"tokenizer encode --tokenizer {In("bpe")} --text thefox");
        Write("ids.txt", ids);
        Assert.That(Run($"tokenizer decode --tokenizer {In("bpe")} --input {In("ids.txt")}").Trim(), Is.EqualTo("thefox"));
        Assert.That(Run($"tokenizer encode --tokenizer {In("bpe")} --text thefox --count").Trim(), Is.EqualTo($"{ids.Split(' ').Length}"));
        Assert.That(Run($"tokenizer encode --tokenizer {In("bpe")} --text thefox --tokens"), Does.Contain("0..").And.Contain("..6"));
    }

    [Test]
    public void CharactersAreAVocabularyToo()
    {
        Write("text.txt", "hello");
        Assert.That(Run($"tokenizer train --input {In("text.txt")} --type char --output {In("char")}"), Does.Contain("4 tokens"));
        Assert.That(Run($"tokenizer encode --tokenizer {In("char")} --text hello").Trim(), Is.EqualTo("1 0 2 2 3"));
    }

    [TestCase("wordpiece --lowercase", "the quick fox", "the quick fox")]
    [TestCase("unigram --byteFallback", "the 漢 fox", "the 漢 fox")]
    [TestCase("word --minFrequency 1", "the dog fox", "the <unk> fox")]
    public void OtherKindsOfVocabularyAreTrained(string type, string text, string decoded)
    {
        Write("text.txt", string.Concat(Enumerable.Repeat("the quick brown fox ", 50)));
        Assert.That(
            Run($"tokenizer train --input {In("text.txt")} --vocabSize 290 --type {type} --output {In("out")}"),
            Does.Contain("tokens from"));
        Write("input.txt", text);
        string[] ids = Run($"tokenizer encode --tokenizer {In("out")} --input {In("input.txt")}").Split();
        Assert.That(Run($"tokenizer decode --tokenizer {In("out")} --ids {string.Join(' ', ids)}").Trim(), Is.EqualTo(decoded));
    }

    [TestCase("char --lowercase", "--lowercase")]
    [TestCase("bpe --byteFallback", "--byteFallback")]
    [TestCase("word --characterCoverage 0.5", "--characterCoverage")]
    [TestCase("unigram --characterCoverage 1.5", "at most 1")]
    [TestCase("wordpiece --vocabSize 0", "--vocabSize")]
    public void OptionsOfAnotherKindAreUsageErrors(string type, string named)
    {
        Write("text.txt", "hello");
        IngotProcess.Result result = IngotProcess.Run($"tokenizer train --input {In("text.txt")} --type {type} --output {In("out")}");
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Error, Does.Contain(named));
        Assert.That(Directory.Exists(In("out")), Is.False);
    }

    [TestCase("--text a --input b", "take one")]
    [TestCase("--text a --count --tokens", "take one")]
    public void ContradictionsAreUsageErrors(string options, string named)
    {
        Write("text.txt", "hello");
        Run($"tokenizer train --input {In("text.txt")} --type char --output {In("char")}");
        IngotProcess.Result result = IngotProcess.Run($"tokenizer encode --tokenizer {In("char")} {options}");
        Assert.That(result.ExitCode, Is.EqualTo(2));
        Assert.That(result.Error, Does.Contain(named));
    }

    [Test]
    public void AnUnknownIdIsAnError()
    {
        Write("text.txt", "hello");
        Run($"tokenizer train --input {In("text.txt")} --type char --output {In("char")}");
        IngotProcess.Result result = IngotProcess.Run($"tokenizer decode --tokenizer {In("char")} --ids 4");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("The id 4").And.Contain("0 … 3"));
    }

    private static string Run(string arguments)
    {
        IngotProcess.Result result = IngotProcess.Run(arguments);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return result.Output;
    }
}
