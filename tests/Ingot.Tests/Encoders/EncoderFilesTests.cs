using System.Text.Json.Nodes;
using Ingot.Checkpoints;
using Ingot.Models;
using Ingot.Models.Bert;
using NUnit.Framework;

namespace Ingot.Tests.Encoders;

/// <summary>Folders of BERT and RoBERTa, as Hugging Face's transformers write them.</summary>
public sealed class EncoderFilesTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void Prepare() => _directory = new TemporaryDirectory();

    [TearDown]
    public void Clean() => _directory.Dispose();

    [Test]
    public void AFolderIsWrittenAgainBitForBit([Values] BertFlavor flavor,
        [Values(ModelTask.MaskedLm, ModelTask.SequenceClassification, ModelTask.TokenClassification, ModelTask.FeatureExtraction)] ModelTask task)
    {
        EncoderFolder.Write(_directory["model"], EncoderFolder.Model(flavor, task));
        ModelExport.Write(_directory["model"], _directory["again"], new ModelExportOptions());
        Assert.That(File.ReadAllBytes(_directory["again/model.safetensors"]), Is.EqualTo(File.ReadAllBytes(_directory["model/model.safetensors"])));
        var (first, second) = (Json("model"), Json("again"));
        Assert.That(JsonNode.DeepEquals(first, second), $"{first} and {second}");
        Assert.That((string?)first["architectures"]![0], Does.StartWith(flavor.ToString()).And.EndsWith(task.ClassSuffix()));

        JsonNode Json(string folder) => JsonNode.Parse(File.ReadAllText(_directory[$"{folder}/config.json"]))!;
    }

    // As BertForPreTraining was converted: old names of norms, the head repeated, a second head, a buffer.
    [Test]
    public void OldNamesAndOtherHeadsAreRead()
    {
        var model = EncoderFolder.Model(BertFlavor.Bert, ModelTask.MaskedLm);
        EncoderFolder.Write(_directory["model"], model);
        var path = _directory["model/model.safetensors"];
        var sources = new List<SafetensorsSource>();
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (var tensor in file.Tensors)
            {
                var bytes = new byte[tensor.Shape.Aggregate(4L, (a, b) => a * b)];
                tensor.CopyTo(0, bytes);
                Add(tensor.Name.Replace("LayerNorm.weight", "LayerNorm.gamma").Replace("LayerNorm.bias", "LayerNorm.beta"), tensor.Shape, bytes);
                if (tensor.Name == "bert.embeddings.word_embeddings.weight")
                    Add("cls.predictions.decoder.weight", tensor.Shape, bytes);
                if (tensor.Name == "cls.predictions.bias")
                    Add("cls.predictions.decoder.bias", tensor.Shape, bytes);
            }

            Add("bert.pooler.dense.weight", [24, 24], new byte[4 * 24 * 24]);
            Add("bert.pooler.dense.bias", [24], new byte[4 * 24]);
            Add("cls.seq_relationship.weight", [2, 24], new byte[4 * 48]);
            Add("cls.seq_relationship.bias", [2], new byte[8]);
        }

        using (var file = File.Create(_directory["new"]))
            SafetensorsWriter.Write(file, sources, SafetensorsWriter.PyTorchMetadata);
        File.Move(_directory["new"], path, overwrite: true);

        using var tensors = ModelTensors.Open(_directory["model"]);
        Assert.That(tensors["bert.embeddings.LayerNorm.weight"].Name, Is.EqualTo("bert.embeddings.LayerNorm.gamma"));
        Assert.That(tensors.Passed, Has.Count.EqualTo(6));

        // The pooler is there for classifiers; their last layer is new.
        using var classifier = ModelTensors.Open(_directory["model"], saved => saved.ForTask(ModelTask.SequenceClassification, ["A", "B"]));
        Assert.That(classifier.Missing, Is.EqualTo(["classifier.weight", "classifier.bias"]));
        Assert.That(classifier["bert.pooler.dense.weight"].Shape, Is.EqualTo([24L, 24L]));

        void Add(string name, IReadOnlyList<long> shape, byte[] bytes) => sources.Add(new SafetensorsSource(name, SafetensorsDtype.F32, shape,
            (offset, destination) => bytes.AsSpan((int)offset, destination.Length).CopyTo(destination)));
    }

    // Keys as transformers 4 and 5 write them.
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"no\", \"1\": \"yes\"}, \"torch_dtype\": \"float32\"")]
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"no\", \"1\": \"yes\"}, \"dtype\": \"float32\"")]
    public void BothVersionsOfTransformersAreRead(string keys)
    {
        var config = Parse($"{{\"model_type\": \"bert\", {keys}}}");
        Assert.That(config.Task, Is.EqualTo(ModelTask.SequenceClassification));
        Assert.That(config.Labels, Is.EqualTo(["no", "yes"]));
        Assert.That(config.Width, Is.EqualTo(768));
    }

    [TestCase("\"architectures\": [\"BertForQuestionAnswering\"]", "BertForQuestionAnswering", "BertForMaskedLM")]
    [TestCase("\"is_decoder\": true", "is_decoder")]
    [TestCase("\"position_embedding_type\": \"relative_key\"", "relative_key")]
    [TestCase("\"hidden_act\": \"swiglu\"", "swiglu")]
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"a\", \"2\": \"b\"}", "none with the id 1")]
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"a\", \"1\": \"a\"}", "twice")]
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"id2label\": {\"0\": \"a\"}", "two labels or more")]
    [TestCase("\"architectures\": [\"BertForSequenceClassification\"], \"problem_type\": \"regression\"", "problem_type")]
    public void OtherComputationsAreRefused(string keys, params string[] fragments)
    {
        var error = Assert.Catch(() => Parse($"{{\"model_type\": \"bert\", {keys}}}"))!;
        foreach (var fragment in fragments)
            Assert.That(error.Message, Does.Contain(fragment));
    }

    private static ModelConfig Parse(string json) => ModelConfig.FromJson((JsonObject)JsonNode.Parse(json)!);
}
