using System.Text;
using Ingot.Training;
using Microsoft.Extensions.Configuration;
using NUnit.Framework;

namespace Ingot.Tests.Training;

public sealed class RecipeTests
{
    // A family, sizes, and data that nobody reads: what every recipe below has.
    private const string Basics = """
        "model": "gpt2", "numHiddenLayers": 2, "hiddenSize": 64, "numAttentionHeads": 4, "sequenceLength": 32, "data": "text.txt"
        """;

    [Test]
    public void LaterLayersWin()
    {
        TrainingOptions options = Read($$"""{ {{Basics}}, "maxSteps": 1, "seed": 1, "learningRate": 1e-3 }""",
            environment: [("MAXSTEPS", "2"), ("LEARNING_RATE", "2e-3")],
            commandLine: [("maxSteps", "3")]);

        Assert.That((options.MaxSteps, options.LearningRate, options.Seed, options.WeightDecay), Is.EqualTo((3L, 2e-3, 1L, 0.1)));
    }

    [Test]
    public void CommentsTrailingCommasAndAByteOrderMarkAreFine()
    {
        TrainingOptions options = Read("\uFEFF{ // sizes\n" + Basics + ",\n/* how long */ \"maxSteps\": 7,\n}");

        Assert.That(options.MaxSteps, Is.EqualTo(7));
    }

    [Test]
    public void EveryTypeOfValueIsRead()
    {
        TrainingOptions options = Read($$"""
            { {{Basics}}, "maxSteps": 1e6, "numTrainEpochs": 1.5, "precision": "bf16", "lrSchedulerType": "cosine_with_restarts",
              "overwriteOutputDir": true, "samplePrompts": ["one", ""], "kernels": { "attention": "naive" }, "maxTime": null }
            """);

        Assert.That(options.MaxSteps, Is.EqualTo(1_000_000));
        Assert.That(options.NumTrainEpochs, Is.EqualTo(1.5));
        Assert.That(options.Precision, Is.EqualTo(Precision.Bf16));
        Assert.That(options.LrSchedulerType, Is.EqualTo(LrSchedulerType.CosineWithRestarts));
        Assert.That(options.OverwriteOutputDir, Is.True);
        Assert.That(options.SamplePrompts, Is.EqualTo(new[] { "one", "" }));
        Assert.That(options.Kernels, Is.EqualTo(new Dictionary<string, string> { ["attention"] = "naive" }));
        Assert.That(options.MaxTime, Is.Null);
    }

    [Test]
    public void AListReplacesTheListBelowAndAMapAddsToIt()
    {
        TrainingOptions options = Read(
            $$"""{ {{Basics}}, "samplePrompts": ["a", "b", "c"], "kernels": { "attention": "naive", "matmul": "onednn" } }""",
            environment: [("KERNELS:LAYER_NORM", "simd")],
            commandLine: [("samplePrompts:0", "d"), ("kernels:matmul", "naive")]);

        Assert.That(options.SamplePrompts, Is.EqualTo(new[] { "d" }));
        Assert.That(options.Kernels, Is.EqualTo(
            new Dictionary<string, string> { ["attention"] = "naive", ["matmul"] = "naive", ["layer_norm"] = "simd" }));
    }

    [TestCase("""{"maxStep": 3}""", "recipe:1: maxStep is not an option: did you mean maxSteps?")]
    [TestCase("""{"per_device_train_batch_size": 3}""",
        "recipe:1: per_device_train_batch_size is not an option: did you mean perDeviceTrainBatchSize?")]
    [TestCase("""{"quux": 3}""", "recipe:1: quux is not an option; `ingot train --help` lists all options")]
    [TestCase("{\n\n  \"learningRate\": \"fast\"\n}", "recipe:3: learningRate is \"fast\", but must be a number")]
    [TestCase("""{"learningRate": "NaN"}""", "recipe:1: learningRate is \"NaN\", but must be a number")]
    [TestCase("""{"learningRate": null}""", "recipe:1: learningRate is null, but must be a number; leave it out for the default")]
    [TestCase("""{"learningRate": [1]}""", "recipe:1: learningRate is a list or an object, but must be a number")]
    [TestCase("""{"seed": 1.5}""", "recipe:1: seed is \"1.5\", but must be a whole number")]
    [TestCase("""{"seed": 1e30}""", "recipe:1: seed is \"1e30\", but must be a whole number")]
    [TestCase("""{"hiddenSize": 3000000000}""", "recipe:1: hiddenSize is \"3000000000\", but must be a whole number")]
    [TestCase("""{"overwriteOutputDir": 1}""", "recipe:1: overwriteOutputDir is \"1\", but must be true or false")]
    [TestCase("""{"precision": "fp16"}""", "recipe:1: precision is \"fp16\", but must be one of fp32, bf16")]
    [TestCase("""{"kernels": "naive"}""", "recipe:1: kernels is \"naive\", but must be an object of texts")]
    [TestCase("""{"samplePrompts": [["a"]]}""", "recipe:1: samplePrompts holds 0: null, a list or an object, but must be a list of texts")]
    [TestCase("[1]", "recipe: Top-level JSON element must be an object. Instead, 'Array' was found.")]
    [TestCase("""{"seed": 1, "Seed": 2}""", "recipe: A duplicate key 'Seed' was found.")]
    public void WhatCannotBeReadIsNamed(string recipe, string expected) =>
        Assert.That(() => Read(recipe), Throws.TypeOf<TrainingOptionsException>().With.Message.EqualTo(expected));

    [TestCase("{\n\"seed\": }", "recipe:2: not JSON: ")]
    [TestCase("", "recipe:1: not JSON: ")]
    [TestCase("{\"seed\": 1", "recipe:1: not JSON: ")]
    public void BrokenJsonIsNamedByItsLine(string recipe, string expected) =>
        Assert.That(() => Read(recipe), Throws.TypeOf<TrainingOptionsException>().With.Message.StartsWith(expected));

    [Test]
    public void TextThatIsNotUtf8IsNamed() => Assert.That(
        () => Recipe.Read([0x7b, 0xff, 0x7d], Layer([]), Layer([])),
        Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("not UTF-8"));

    // Each case adds to a recipe that is right.
    [TestCase("""  "maxSteps": 0 """, "recipe:1: maxSteps is 0, but must be a whole number of at least 1")]
    [TestCase("""  "learningRate": -1 """, "recipe:1: learningRate is -1, but must be a number above 0")]
    [TestCase("""  "dropout": 1 """, "recipe:1: dropout is 1, but must be a number from 0 to below 1")]
    [TestCase("""  "warmupRatio": 1.5 """, "recipe:1: warmupRatio is 1.5, but must be a number from 0 to 1")]
    [TestCase("""  "minLearningRate": 1 """, "recipe:1: minLearningRate is 1, above learningRate 0.0006: it is where the decay ends")]
    [TestCase("""  "numKeyValueHeads": 3, "model": "llama" """,
        "recipe:1: numKeyValueHeads is 3, which does not divide numAttentionHeads 4: take a divisor of it")]
    [TestCase("""  "maxPositionEmbeddings": 16 """,
        "recipe:1: sequenceLength is 32, longer than the model's maxPositionEmbeddings 16: shorten it, or raise maxPositionEmbeddings")]
    [TestCase("""  "runName": "a/b" """,
        "recipe:1: runName is \"a/b\", which cannot be a directory's name: leave out slashes; outputDir takes a path")]
    [TestCase("""  "hiddenAct": "tanh" """, "recipe:1: hiddenAct is \"tanh\", but must be one of: gelu, gelu_new, relu, silu")]
    [TestCase("""  "targetLoss": 1, "validationFraction": 0 """,
        "recipe:1: targetLoss needs validation text: set evalData or a validationFraction above 0")]
    public void WhatMakesNoSenseIsNamed(string addition, string expected)
    {
        string basics = string.Join(", ", Basics.Split(", ").Where(pair => !addition.Contains(pair.Split(':')[0])));

        Assert.That(() => Read($"{{ {basics}, {addition} }}"),
            Throws.TypeOf<TrainingOptionsException>().With.Property("Problems").EqualTo(new[] { expected }));
    }

    [Test]
    public void AWidthThatHeadsDoNotDivideIsNamedWithItsNeighbours() => Assert.That(
        () => Read($"{{ {Basics} }}", commandLine: [("hiddenSize", "66")]),
        Throws.TypeOf<TrainingOptionsException>().With.Message.EqualTo(
            "--hiddenSize is 66, which numAttentionHeads 4 does not divide: take 64 or 68, or another number of heads"));

    [Test]
    public void APresetWithAChangedSizeThatDoesNotFitIsNamed() => Assert.That(
        () => Read("""{"model": "gpt2-124m", "data": "x"}""", commandLine: [("hiddenSize", "100")]),
        Throws.TypeOf<TrainingOptionsException>().With.Message.StartsWith("recipe:1: model does not make a model: "));

    [Test]
    public void AllProblemsAreNamedAtOnce() => Assert.That(
        () => Read("{\"seeds\": 1,\n\"maxSteps\": \"x\"}", environment: [("BATCH", "3")], commandLine: [("threads", "")]),
        Throws.TypeOf<TrainingOptionsException>().With.Property("Problems").EquivalentTo(new[]
        {
            "recipe:1: seeds is not an option: did you mean seed?",
            "recipe:2: maxSteps is \"x\", but must be a whole number",
            "INGOT_BATCH is not an option; `ingot train --help` lists all options",
            "--threads is \"\", but must be a whole number",
        }));

    [Test]
    public void WithoutDataTheWayOutIsNamed() => Assert.That(
        () => Read("""{"model": "gpt2-124m"}"""),
        Throws.TypeOf<TrainingOptionsException>().With.Message.EqualTo("data is not set: name a file of text or examples, a folder of such files, or give texts"));

    [Test]
    public void SavedOptionsComeBackEqual()
    {
        TrainingOptions options = Read($$"""
            { {{Basics}}, "learningRate": 0.1234567890123456, "samplePrompts": ["\"Quoted\" 'text' — 文\n", ""], "precision": "bf16",
              "kernels": { "attention": "naive", "matmul": "onednn" }, "seed": -9007199254740993, "maxTime": 1e300, "tieWordEmbeddings": true,
              "lrSchedulerType": "warmup_stable_decay", "gradientCheckpointing": "block", "sampling": "random", "evalSteps": 0 }
            """);

        string json = Recipe.ToJson(options);
        TrainingOptions again = Read(json);

        Assert.That(Recipe.ToJson(again), Is.EqualTo(json));
        object?[] values = [.. typeof(TrainingOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.GetValue(options))];
        object?[] valuesAgain = [.. typeof(TrainingOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.GetValue(again))];
        Assert.That(valuesAgain, Is.EqualTo(values));
    }

    [Test]
    public void EveryOptionSurvivesBeingSaved()
    {
        // One changed value for each option, whatever options there are.
        foreach (OptionKey key in OptionKey.All)
        {
            TrainingOptions options = Read($"{{ {Basics} }}") with { };
            var property = typeof(TrainingOptions).GetProperty(key.PropertyName)!;
            Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            object value = type.IsEnum ? Enum.GetValues(type).GetValue(1)!
                : type == typeof(bool) ? true
                : type == typeof(string) ? "gelu"
                : key.IsList ? new[] { "x" }
                : key.IsMap ? new Dictionary<string, string> { ["x"] = "y" }
                : key.IsData ? TrainingSources.Create([new("x", 0.5), new("y:z", 2)])
                : Convert.ChangeType(1, type);
            property.SetValue(options, value);

            using var stream = new MemoryStream(Encoding.UTF8.GetBytes(Recipe.ToJson(options)));
            var again = new TrainingOptions();
            IConfigurationSection section = new ConfigurationBuilder().AddJsonStream(stream).Build().GetSection(key.Name);

            Assert.That(key.Read(section, again), Is.Null, key.Name);
            Assert.That(property.GetValue(again), Is.EqualTo(value), key.Name);
        }
    }

    [TestCase("\"a.txt\"", "a.txt")]
    [TestCase("\"a.txt:0.5\"", "a.txt:0.5")]
    [TestCase("\"a:b.txt\"", "a:b.txt")]
    [TestCase("[\"a.txt:2\", {\"path\": \"b:3\", \"weight\": 0.25}, {\"path\": \"c\"}]", "a.txt:2 b:3:0.25 c")]
    public void DataIsAPathOrSeveralWithWeights(string data, string expected)
    {
        var options = new TrainingOptions();
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes($"{{\"data\": {data}}}"));
        IConfigurationSection section = new ConfigurationBuilder().AddJsonStream(stream).Build().GetSection("data");
        Assert.That(OptionKey.Find("data")!.Read(section, options), Is.Null);
        Assert.That(options.Data!.ToString(), Is.EqualTo(expected));
    }

    [TestCase("{\"path\": \"a\", \"wait\": 1}")]
    [TestCase("[{\"weight\": 1}]")]
    [TestCase("[{\"path\": \"a\", \"weight\": \"much\"}]")]
    public void DataOfAnotherFormIsAnError(string data) =>
        Assert.That(() => Read($"{{\"model\": \"gpt2-124m\", \"data\": {data}}}"),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("data holds an entry"));

    [Test]
    public void WeightsAreForAllSourcesOrForNone()
    {
        Assert.That(() => Read("""{"model": "gpt2-124m", "data": ["a:1", "b"]}"""),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("each a weight, or none"));
        Assert.That(() => Read("""{"model": "gpt2-124m", "data": ["a:0", "b:1"]}"""),
            Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("above 0"));
    }

    [Test]
    public void AFileNamesItsRunAndItsDataIsAbsolute()
    {
        string folder = Directory.CreateTempSubdirectory("ingot-recipe-").FullName;
        try
        {
            string path = Path.Combine(folder, "poems.json");
            File.WriteAllText(path, $"{{ {Basics} }}");

            TrainingOptions options = Recipe.Load(path);

            Assert.That(options.RunName, Is.EqualTo("poems"));
            Assert.That(options.Data!.Single().Path, Is.EqualTo(Path.Combine(Directory.GetCurrentDirectory(), "text.txt")));
            Assert.That(() => Recipe.Load(Path.Combine(folder, "poem.json")), Throws.TypeOf<TrainingOptionsException>()
                .With.Message.EqualTo($"{Path.Combine(folder, "poem.json")}: no such recipe: did you mean {path}?"));
            Assert.That(() => Recipe.Load(folder), Throws.TypeOf<TrainingOptionsException>().With.Message.Contains("is a directory"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestCase("learninRate", "learningRate")]
    [TestCase("learningRaet", "learningRate")]
    [TestCase("lr", null)]
    [TestCase("", null)]
    [TestCase("max-steps", "maxSteps")]
    public void TheNearestNameIsFound(string wrong, string? expected) =>
        Assert.That(NearestName.Find(wrong, OptionKey.All.Select(key => key.Name)), Is.EqualTo(expected));

    private static TrainingOptions Read(string recipe, (string, string)[]? environment = null, (string, string)[]? commandLine = null) =>
        Recipe.Read(Encoding.UTF8.GetBytes(recipe), Layer(environment ?? []), Layer(commandLine ?? []));

    private static IConfiguration Layer((string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)))
        .Build();
}
