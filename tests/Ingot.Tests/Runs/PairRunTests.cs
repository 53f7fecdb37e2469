using Ingot.Adapters;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Models;
using Ingot.Models.Transformer;
using Ingot.Pairs;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Runs of encoder-decoders on pairs of texts.</summary>
public sealed class PairRunTests : PairRuns
{
    [Test]
    public void WordsAreLearntInReverse()
    {
        var listener = new Listener();
        var result = Train(Reversing("marian") with
        {
            MaxSteps = 400,
            EvalSteps = 200,
            EvalIterations = 0,
            SamplePrompts = ["red sea old"],
        }, listener);

        // From log(264) = 5.6 to almost nothing.
        Assert.That(result.EvalLoss, Is.LessThan(0.1));
        Assert.That(listener.Samples[^1].Shown, Is.EqualTo("red sea old → old sea red"));
        using var generator = TextGenerator.Load(result.ModelDirectory);
        Assert.That(generator.Options.DoSample, Is.False);
        string[] sources = ["sun red", "old red sea sun", "sea sun sun"];
        Assert.That(generator.Generate(sources).OrderBy(text => text.Prompt).Select(text => text.Text),
            Is.EqualTo(["red sun", "sun sea red old", "sun sun sea"]));
        var beams = generator.Options with { NumBeams = 3 };
        Assert.That(generator.Generate(sources, beams).OrderBy(text => text.Prompt).Select(text => text.Text),
            Is.EqualTo(["red sun", "sun sea red old", "sun sun sea"]));
    }

    [Test]
    public void AResumedRunGoesOnBitForBit([Values("marian", "m2m_100")] string family)
    {
        var options = Reversing(family) with
        {
            MaxSteps = 12,
            Dropout = 0.1,
            LabelSmoothingFactor = 0.1,
            GradientAccumulationSteps = 2,
            SaveSteps = 6,
        };
        Train(options with { OutputDir = In("whole") });
        TrainInTwoParts(options, 5);

        AssertSameRun(RunPath, In("whole"));
    }

    [Test]
    public void ACheckpointSaysHowTextsBeginAndEnd()
    {
        var marian = Train(Reversing("marian") with { MaxSteps = 1, OutputDir = In("one") }).ModelDirectory;
        var m2m = Train(Reversing("m2m_100") with { MaxSteps = 1, OutputDir = In("two"), Tokenizer = "unigram" }).ModelDirectory;

        Check(marian, start: 0, forced: null);
        Check(m2m, start: 1, forced: Ingot.Tokenizers.Tokenizer.Load(m2m).TokenToId("__zz__"));
        Assert.That(ModelFiles.LoadConfig(m2m), Is.InstanceOf<M2M100Config>());
        Assert.That(ModelFiles.LoadConfig(marian).Task, Is.EqualTo(ModelTask.Seq2seqLm));

        static void Check(string folder, int start, int? forced)
        {
            var config = GenerationConfig.Load(folder)!;
            Assert.That(config.Options.DecoderStartTokenId, Is.EqualTo(start));
            Assert.That(config.Options.ForcedBosTokenId, Is.EqualTo(forced));
            Assert.That(config.Options.EosTokenIds, Is.EqualTo([1]));
            Assert.That(config.PadTokenId, Is.Zero);
        }
    }

    [Test]
    public void FineTuningBeginsWithTheFoldersWeights()
    {
        var first = Train(Reversing("marian") with { MaxSteps = 2, OutputDir = In("first") }).ModelDirectory;

        // The first step of a warm-up has the learning rate 0.
        var options = Reversing("marian") with
        {
            Model = first,
            NumHiddenLayers = null,
            HiddenSize = null,
            NumAttentionHeads = null,
            Tokenizer = null,
            VocabSize = null,
            MaxSteps = 1,
            WarmupSteps = 1,
        };
        var second = Train(options).ModelDirectory;

        foreach (var file in new[] { "model.safetensors", "config.json", "generation_config.json", "tokenizer.json" })
            Assert.That(File.ReadAllBytes(Path.Combine(second, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(first, file))), file);
    }

    [Test]
    public void AnAdapterLearnsAndResumesBitForBit([Values("marian", "m2m_100")] string family)
    {
        var reversing = Reversing(family);
        var folder = Train(reversing with { MaxSteps = 20, OutputDir = In("base") }).ModelDirectory;
        var options = reversing with
        {
            Model = folder,
            NumHiddenLayers = null,
            HiddenSize = null,
            NumAttentionHeads = null,
            HiddenAct = null,
            MaxPositionEmbeddings = null,
            Tokenizer = null,
            VocabSize = null,
            LoraRank = 4,
            LoraDropout = 0.1,
            UseDora = family == "marian",
            LearningRate = 1e-2,
            MaxSteps = 30,
            SaveSteps = 10,
            SamplePrompts = ["red sea old"],
        };
        var listener = new Listener();
        var result = Train(options with { OutputDir = In("whole") }, listener);

        Assert.That(listener.Steps[^1].Loss, Is.LessThan(listener.Steps[0].Loss - 0.3));
        Assert.That(Directory.GetFiles(result.ModelDirectory).Select(Path.GetFileName),
            Does.Contain("adapter_model.safetensors").And.Not.Contain("config.json"));
        // The run, the adapter on its base, and merged write the same.
        AdapterMerge.Merge(folder, result.ModelDirectory, In("merged"));
        string Text(string model, string? adapter = null)
        {
            using var generator = TextGenerator.Load(model, adapter: adapter);
            var greedy = generator.Options with
            {
                MaxNewTokens = 12,
                SourceLanguage = options.SourceLanguage,
                TargetLanguage = options.TargetLanguage,
            };
            return generator.Generate(["red sea old"], greedy).Single().Text;
        }

        var text = Text(result.ModelDirectory);
        Assert.That(Text(folder, result.ModelDirectory), Is.EqualTo(text));
        Assert.That(Text(In("merged")), Is.EqualTo(text));
        Assert.That(listener.Samples[^1].Text, Does.StartWith(text));

        TrainInTwoParts(options, 15);
        AssertSameRun(RunPath, In("whole"));
    }

    [Test]
    public void SeveralDirectionsAreLearntAtOnce()
    {
        var data = Pairs(reversed: false);
        var options = Reversing("m2m_100") with
        {
            // From xx to yy the words stay, from xx to zz they are reversed.
            Data =
            [
                new TrainingSource(data, 1) { Fields = new PairFields { SourceLanguage = "xx", TargetLanguage = "yy" } },
                new TrainingSource(Pairs(reversed: true), 2) { Fields = new PairFields { SourceLanguage = "xx", TargetLanguage = "zz" } },
            ],
            SourceLanguage = null,
            TargetLanguage = null,
            MaxSteps = 400,
        };
        var listener = new Listener();
        var result = Train(options, listener);

        Assert.That(listener.Data!.Sources.Select(source => Math.Round(source.Share, 3)), Is.EqualTo([0.333, 0.667]));
        Assert.That(listener.Data.Sources[0].Contents, Does.Contain("from xx to yy"));
        using var generator = TextGenerator.Load(result.ModelDirectory);
        foreach (var (language, text) in new[] { ("yy", "old red sea"), ("zz", "sea red old") })
        {
            var direction = generator.Options with { SourceLanguage = "xx", TargetLanguage = language };
            Assert.That(generator.Generate(["old red sea"], direction).Single().Text, Is.EqualTo(text), language);
        }

        // The run's configuration keeps the fields of each source.
        Assert.That(Recipe.Load(Path.Combine(RunPath, "config.json")).Data![1].Fields!.TargetLanguage, Is.EqualTo("zz"));
    }

    [Test]
    public void TooLongPairsAreLeftOutOrCutWhenAsked()
    {
        var data = Write("pairs.tsv", string.Concat(Enumerable.Range(0, 40).Select(i => $"red sun\tsun red {i % 7}\n"))
            + "a very long source that has many more tokens than fit into a source\tshort\n\tempty\n");
        var options = Reversing("marian") with { Data = data, MaxSourceLength = 12, ValidationFraction = 0, MaxSteps = 1 };
        var listener = new Listener();
        Train(options, listener);

        Assert.That(listener.Data!.Sources[0].Contents, Does.StartWith("40 pairs"));
        Assert.That(listener.Warnings, Has.Some.Contains("1 of 41 pairs").And.Contains("left out"));
        Assert.That(listener.Warnings, Has.Some.Contains("1 records without"));

        listener = new Listener();
        Train(options with { Truncation = true, OutputDir = In("cut") }, listener);
        Assert.That(listener.Data!.Sources[0].Contents, Does.StartWith("41 pairs"));
        Assert.That(() => Train(options with { MaxTargetLength = 2, OutputDir = In("none") }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(data).And.Message.Contains("too long"));
    }

    [Test]
    public void TheFirstPairIsShownAndOneWithoutALanguageIsAnError()
    {
        var listener = new Listener();
        Train(Reversing("m2m_100") with { MaxSteps = 1 }, listener);
        var example = listener.Data!.Example;
        Assert.That(listener.Data.Tokenizer.Decode([.. example.Tokens]), Does.Match("^__xx__[a-z ]+</s>__zz__[a-z ]+</s>$"));
        Assert.That(listener.Data.Tokenizer.Decode([.. example.Tokens.Where((_, i) => example.Learned[i])]), Does.StartWith("__zz__"));

        Assert.That(() => Train(Reversing("m2m_100") with { TargetLanguage = null, OutputDir = In("other") }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("targetLanguage"));
        Assert.That(() => Train(Reversing("marian") with { TargetLanguage = "zz", OutputDir = In("other") }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("m2m_100"));
    }

    [Test]
    public void OptionsOfPairsBelongToEncoderDecoders()
    {
        Assert.That(() => Train(Tiny() with { SourceField = "question" }),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("sourceField").And.Message.Contains("seq2seq-lm"));
        Assert.That(() => Train(Reversing("marian") with { MaxSourceLength = 600 }),
            Throws.ArgumentException.With.Message.Contains("maxSourceLength"));
    }
}
